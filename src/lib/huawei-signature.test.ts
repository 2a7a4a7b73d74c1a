import { describe, expect, test } from 'bun:test'
import {
  canonicalRequest,
  EMPTY_PAYLOAD,
  isSignatureScheme,
  parseSdkDate,
  parseSignatureHeader,
  sdkDateOf,
  sha256,
  signatureOf,
  signRequest,
} from './huawei-signature.ts'

/*
 * Published values: the guide's canonical request with its hash, and the requests that the vendor's
 * Python and Go SDKs sign in their own tests.
 */

describe('published examples', () => {
  test('the canonical request of the guide and its hash', () => {
    const canonical = canonicalRequest({
      method: 'get',
      path: '/app1',
      query: new URLSearchParams('b=2&a=1'),
      headers: {
        host: 'c967a237-cd6c-470e-906f-a8655461897e.apigw.exampleRegion.com',
        'x-sdk-date': '20191111T093443Z',
      },
      signedHeaders: ['host', 'x-sdk-date'],
      payloadHash: EMPTY_PAYLOAD,
    })
    expect(canonical).toBe(
      [
        'GET',
        '/app1/',
        'a=1&b=2',
        'host:c967a237-cd6c-470e-906f-a8655461897e.apigw.exampleRegion.com',
        'x-sdk-date:20191111T093443Z',
        '',
        'host;x-sdk-date',
        'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      ].join('\n'),
    )
    expect(sha256(canonical)).toBe(
      'af71c5a7ef45310b8dc05ab15f7da50189ffa81a95cc284379ebaa5eb61155c0',
    )
  })

  const python = {
    url: new URL('https://service.endpoint.myhuaweicloud.com/resources?size=1'),
    headers: { TEST_UNDERSCORE: 'TEST_VALUE' },
    accessKey: 'AccessKey',
    secretKey: 'SecretKey',
    now: Date.UTC(2020, 5, 8, 2, 39),
  }

  test.each([
    ['GET', '', 'cfb4171acec81de07d50e53d57eb77edd537414d66ddb1d7d780f128e12cd842'],
    [
      'POST',
      '{"name":"test","id":1}',
      '436b1ac0a1ae03705934bb70ef2f2e09f7bfed2117d731a38235053199323a1f',
    ],
  ])('a %s of the Python SDK', (method, body, signature) => {
    expect(signRequest({ ...python, method, body })).toEqual({
      'x-sdk-date': '20200608T023900Z',
      authorization: `SDK-HMAC-SHA256 Access=AccessKey, SignedHeaders=host;x-sdk-date, Signature=${signature}`,
    })
  })

  test('a GET of the Go SDK, which does not sign the host', () => {
    const canonical = canonicalRequest({
      method: 'GET',
      path: '/path',
      query: new URLSearchParams('limit=1'),
      headers: { 'x-sdk-date': '20060102T150405Z' },
      signedHeaders: ['x-sdk-date'],
      payloadHash: EMPTY_PAYLOAD,
    })
    expect(signatureOf('SecretKey', canonical, '20060102T150405Z')).toBe(
      '5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624',
    )
  })

  test('the query that both SDKs encode', () => {
    const query = new URLSearchParams({
      limit: '1',
      enable: 'true',
      test: '一 (&=?!#%.*)',
      path: '/tmp/123',
    })
    for (const value of ['3', '1', '2']) query.append('multi', value)
    const canonical = canonicalRequest({
      method: 'GET',
      path: '/',
      query,
      headers: {},
      signedHeaders: [],
      payloadHash: EMPTY_PAYLOAD,
    })
    expect(canonical.split('\n')[2]).toBe(
      'enable=true&limit=1&multi=1&multi=2&multi=3&path=%2Ftmp%2F123&test=%E4%B8%80%20%28%26%3D%3F%21%23%25.%2A%29',
    )
  })
})

describe('canonical paths', () => {
  const pathOf = (path: string) =>
    canonicalRequest({
      method: 'GET',
      path,
      query: new URLSearchParams(),
      headers: {},
      signedHeaders: [],
      payloadHash: EMPTY_PAYLOAD,
    }).split('\n')[1]

  test.each([
    ['/', '/'],
    ['/v5/a/image', '/v5/a/image/'],
    ['/v5/a/image/', '/v5/a/image/'],
    ['/v5/%E4%B8%AD%2f1/x', '/v5/%E4%B8%AD%2F1/x/'],
    ["/v5/it's(1)*!/~x", '/v5/it%27s%281%29%2A%21/~x/'],
    ['/v5/%7Ex', '/v5/~x/'],
  ])('%s', (path, canonical) => {
    expect(pathOf(path)).toBe(canonical)
  })

  test('what is not percent-encoded UTF-8 throws', () => {
    for (const path of ['/%', '/%zz', '/%ff']) expect(() => pathOf(path)).toThrow(URIError)
  })
})

describe('the Authorization header', () => {
  const signature = 'a1'.repeat(32)

  test('is taken apart', () => {
    expect(
      parseSignatureHeader(
        `SDK-HMAC-SHA256 Access=ABC, SignedHeaders=Host;X-Sdk-Date, Signature=${signature}`,
      ),
    ).toEqual({ accessKey: 'ABC', signedHeaders: ['host', 'x-sdk-date'], signature })
  })

  test.each([
    '',
    'SDK-HMAC-SHA256',
    `SDK-HMAC-SHA256 Access=, SignedHeaders=host, Signature=${signature}`,
    `SDK-HMAC-SHA256 Access=A, SignedHeaders=, Signature=${signature}`,
    `SDK-HMAC-SHA256 Access=A, SignedHeaders=host, Signature=${signature}0`,
    `SDK-HMAC-SHA256 Access=A, SignedHeaders=host, Signature=${signature.toUpperCase()}`,
    `SDK-HMAC-SM3 Access=A, SignedHeaders=host, Signature=${signature}`,
    `SDK-HMAC-SHA256 Access=A\n, SignedHeaders=host, Signature=${signature}`,
  ])('is refused when malformed: %p', (header) => {
    expect(parseSignatureHeader(header)).toBeUndefined()
  })

  test('tells signed requests from others', () => {
    expect(isSignatureScheme('SDK-HMAC-SHA256 Access=A')).toBe(true)
    expect(isSignatureScheme('SDK-HMAC-SM3 Access=A')).toBe(true)
    expect(isSignatureScheme('V11-HMAC-SHA256 Credential=A')).toBe(true)
    expect(isSignatureScheme('Basic YTpi')).toBe(false)
    expect(isSignatureScheme('Bearer SDK-HMAC-SHA256')).toBe(false)
  })
})

test('dates have whole seconds, and only dates that exist are read', () => {
  expect(sdkDateOf(Date.UTC(2026, 0, 2, 3, 4, 5, 999))).toBe('20260102T030405Z')
  expect(parseSdkDate('20260102T030405Z')).toBe(Date.UTC(2026, 0, 2, 3, 4, 5))
  for (const wrong of ['', '20261302T030405Z', '20260102T250405Z', '2026-01-02T03:04:05Z']) {
    expect(parseSdkDate(wrong)).toBeUndefined()
  }
})

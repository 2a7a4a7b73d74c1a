import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { digestOf, OCI_MANIFEST, pushBlob, pushImage, randomBlob } from '../test-content.ts'
import { errorOf } from '../test-form.ts'
import { basic, startTestServer, type TestServer } from '../test-server.ts'
import type { Wire } from '../test-wire.ts'

setDefaultTimeout(60_000)

let server: TestServer
let wire: Wire
let admin: string
beforeAll(async () => {
  server = await startTestServer()
  wire = server.connect()
  admin = server.admin
})
afterAll(() => server.stop())

const NAME = 'team/blobs'
const get = (digest: string, headers: Record<string, string> = {}, method = 'GET') =>
  wire.request(method, `/v2/${NAME}/blobs/${digest}`, { as: admin, headers })

// Up to 4 KiB is kept in the database, above that in files: two ways out.
describe.each([
  ['inline', 2_048],
  ['file', 20_480],
])('a blob kept %s', (_, size) => {
  const bytes = randomBlob(size)
  const digest = digestOf(bytes)
  beforeAll(() => pushBlob(wire, admin, NAME, bytes))
  const range = (value: string, more: Record<string, string> = {}) =>
    get(digest, { range: value, ...more })

  test('is the same by GET and HEAD, with its exact length', async () => {
    const whole = await get(digest)
    expect([whole.status, whole.header('content-length')]).toEqual([200, String(size)])
    expect(whole.body.equals(bytes)).toBeTrue()
    const head = await get(digest, {}, 'HEAD')
    const seen = ({ fields }: typeof head) =>
      fields
        .filter(([name]) => !['date', 'x-request-id', 'transfer-encoding'].includes(name))
        .sort()
    expect(seen(head)).toEqual(seen(whole))
    expect(head.header('content-type')).toBe('application/octet-stream')
    expect(head.header('docker-content-digest')).toBe(digest)
    expect(head.header('etag')).toBe(`"${digest}"`)
    expect(head.header('accept-ranges')).toBe('bytes')
  })

  // Whoever opens its address in a browser gets a file to keep, and nothing runs.
  test('is nothing that a browser would show or run', async () => {
    for (const answer of [await get(digest), await get(digest, { range: 'bytes=0-9' })]) {
      expect(answer.header('x-content-type-options')).toBe('nosniff')
      expect(answer.header('content-security-policy')).toContain('sandbox')
      expect(answer.header('content-disposition')).toBe('attachment')
    }
  })

  // The six of the conformance program, and the edges of RFC 9110 section 14.1.2.
  test.each([
    ['bytes=500-1499', 500, 1499],
    ['bytes=500-', 500, size - 1],
    ['bytes=-500', size - 500, size - 1],
    [`bytes=${size - 48}-${size + 2952}`, size - 48, size - 1],
    ['bytes=0-0', 0, 0],
    [`bytes=${size - 1}-`, size - 1, size - 1],
    ['bytes=-1', size - 1, size - 1],
    ['bytes=-999999', 0, size - 1],
    ['Bytes= 5-9 ', 5, 9],
  ])('the range %s is 206', async (value, first, last) => {
    const part = await range(value)
    expect(part.status).toBe(206)
    expect(part.header('content-range')).toBe(`bytes ${first}-${last}/${size}`)
    expect(part.header('content-length')).toBe(String(last - first + 1))
    expect(part.body.equals(bytes.subarray(first, last + 1))).toBeTrue()
  })

  test.each([
    'bytes=500-0',
    `bytes=${size}-`,
    'bytes=50000-60000',
    'bytes=-0',
    'bytes=-',
    'bytes=a-b',
  ])('the range %s is 416, and the connection goes on', async (value) => {
    const refused = await range(value)
    expect(refused.status).toBe(416)
    expect(refused.header('content-range')).toBe(`bytes */${size}`)
    expect((await get(digest)).body.equals(bytes)).toBeTrue()
    expect(wire.closed).toBeFalse()
  })

  test.each(['items=0-5', 'bytes=0-10,5-20', `bytes=${'0-0,'.repeat(1000)}0-0`])(
    'the range %.30s is answered with the whole blob',
    async (value) => {
      const whole = await range(value)
      expect([whole.status, whole.header('content-range')]).toEqual([200, undefined])
      expect(whole.body.equals(bytes)).toBeTrue()
    },
  )

  test('several ranges are parts of one answer', async () => {
    const wanted: [number, number][] = [
      [0, 99],
      [1000, 1000],
      [size - 10, size - 1],
    ]
    const answer = await range(`bytes=0-99, 1000-1000,-10, ${size}-`)
    expect(answer.status).toBe(206)
    expect(answer.header('content-range')).toBeUndefined()
    const type = answer.header('content-type') ?? ''
    const boundary = /^multipart\/byteranges; boundary=(\S+)$/.exec(type)?.[1] ?? ''
    expect(boundary).not.toBe('')
    const parts = partsOf(answer.body, boundary)
    expect(parts).toEqual(
      wanted.map(([first, last]) => ({
        range: `bytes ${first}-${last}/${size}`,
        type: 'application/octet-stream',
        hex: bytes.subarray(first, last + 1).toString('hex'),
      })),
    )
  })

  test('one of several ranges that can be satisfied is a single one', async () => {
    const answer = await range(`bytes=${size}-,10-19`)
    expect([answer.status, answer.header('content-range')]).toEqual([206, `bytes 10-19/${size}`])
  })

  test.each([`"${digest}"`, `W/"${digest}"`, '*', `"x", "${digest}"`])(
    'If-None-Match %s is 304 without a body',
    async (value) => {
      for (const method of ['GET', 'HEAD']) {
        const answer = await get(digest, { 'if-none-match': value }, method)
        expect([method, answer.status, answer.body.length]).toEqual([method, 304, 0])
        expect(answer.header('etag')).toBe(`"${digest}"`)
      }
      expect((await get(digest, { 'if-none-match': '"other"' })).status).toBe(200)
    },
  )

  test('If-Range gives the part only of the same blob', async () => {
    const same = await range('bytes=5-9', { 'if-range': `"${digest}"` })
    expect([same.status, same.body.length]).toEqual([206, 5])
    // Strong comparison (RFC 9110 section 13.1.5), and there is no date to compare with.
    const others = ['"other"', `W/"${digest}"`, '*', 'Wed, 21 Oct 2015 07:28:00 GMT']
    for (const value of others) {
      const whole = await range('bytes=5-9', { 'if-range': value })
      expect([value, whole.status, whole.body.length]).toEqual([value, 200, size])
    }
  })
})

describe('a blob', () => {
  test('of no bytes is one too', async () => {
    const digest = await pushBlob(wire, admin, NAME, '')
    const answer = await get(digest)
    expect([answer.status, answer.header('content-length')]).toEqual([200, '0'])
    expect((await get(digest, {}, 'HEAD')).header('content-length')).toBe('0')
    const refused = await get(digest, { range: 'bytes=0-0' })
    expect([refused.status, refused.header('content-range')]).toEqual([416, 'bytes */0'])
  })

  test('pushed under sha512 is there under sha512 only', async () => {
    const bytes = randomBlob(9_000)
    const digest = await pushBlob(wire, admin, NAME, bytes, 'sha512')
    expect(digest).toStartWith('sha512:')
    for (const method of ['GET', 'HEAD']) {
      const answer = await get(digest, {}, method)
      expect([answer.status, answer.header('docker-content-digest')]).toEqual([200, digest])
    }
    expect(
      (await get(digest, { range: 'bytes=8000-' })).body.equals(bytes.subarray(8000)),
    ).toBeTrue()
    expect((await get(digestOf(bytes))).status).toBe(404)
  })

  test('that is elsewhere is not here', async () => {
    const bytes = randomBlob(100)
    await pushBlob(wire, admin, 'team/elsewhere', bytes)
    const answer = await get(digestOf(bytes))
    expect([answer.status, errorOf(answer).code]).toEqual([404, 'BLOB_UNKNOWN'])
    const head = await get(digestOf(bytes), {}, 'HEAD')
    expect([head.status, head.body.length]).toEqual([404, 0])
  })

  test('with a bad digest is 400, and connections survive all of it', async () => {
    const hex = '0'.repeat(64)
    for (const digest of [
      'sha256:bad',
      `sha256:${hex.toUpperCase()}A`,
      `md5:${hex}`,
      'sha256:',
      'x',
    ]) {
      const answer = await get(digest)
      expect([digest, answer.status]).toEqual([digest, 400])
      expect(errorOf(answer).code).toBe('DIGEST_INVALID')
    }
    expect((await get(`sha256%3A${hex}`)).status).toBe(404)
  })

  test('is not deleted while a manifest refers to it, and gone at once when none does', async () => {
    const { digest, blobs } = await pushImage(wire, admin, NAME, 'referring')
    const [blob = ''] = blobs
    const refused = await get(blob, {}, 'DELETE')
    expect([refused.status, errorOf(refused).code]).toEqual([403, 'DENIED'])
    expect(errorOf(refused).message).toContain(`belongs to manifest ${digest} of ${NAME}`)
    const manifest = `/v2/${NAME}/manifests/${digest}`
    expect((await wire.request('DELETE', manifest, { as: admin })).status).toBe(202)
    expect((await get(blob, {}, 'DELETE')).status).toBe(202)
    expect((await get(blob, {}, 'HEAD')).status).toBe(404)
    expect((await get(blob, {}, 'DELETE')).status).toBe(404)
    const again = await wire.request('PUT', `/v2/${NAME}/manifests/again`, {
      as: admin,
      headers: { 'content-type': OCI_MANIFEST },
      body: JSON.stringify({
        schemaVersion: 2,
        config: { digest: blob, size: 1, mediaType: 'a/b' },
      }),
    })
    expect(errorOf(again).code).toBe('MANIFEST_BLOB_UNKNOWN')
  })

  test('of another project is no more to be seen than one that is nowhere', async () => {
    await server.accounts.users.create({ name: 'eve', password: 'Correct-horse-1' })
    const bytes = randomBlob(50)
    await pushBlob(wire, admin, NAME, bytes)
    const ask = (path: string) => wire.request('GET', `/v2/${path}`, { as: basic('eve') })
    const hidden = await ask(`${NAME}/blobs/${digestOf(bytes)}`)
    const nowhere = await ask(`${NAME}/blobs/${digestOf('nowhere')}`)
    expect([hidden.status, nowhere.status]).toEqual([403, 403])
    expect(hidden.text()).toBe(nowhere.text())
  })
})

/** The parts of a multipart/byteranges body, read as RFC 2046 section 5.1.1 says. */
function partsOf(body: Buffer, boundary: string) {
  const text = body.toString('latin1')
  expect(text.endsWith(`\r\n--${boundary}--\r\n`)).toBeTrue()
  const [preamble = '', ...parts] = `\r\n${text.trimStart()}`.split(`\r\n--${boundary}`)
  expect([preamble, parts.pop()]).toEqual(['', '--\r\n'])
  return parts.map((part) => {
    const end = part.indexOf('\r\n\r\n')
    const header = (name: string) =>
      new RegExp(`\r\n${name}: (.*)`, 'i').exec(part.slice(0, end + 2))?.[1]?.trim()
    return {
      range: header('content-range'),
      type: header('content-type'),
      hex: Buffer.from(part.slice(end + 4), 'latin1').toString('hex'),
    }
  })
}

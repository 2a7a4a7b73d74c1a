import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { errorOf } from '../test-form.ts'
import { basic, PASSWORD, startTestServer, type TestServer } from '../test-server.ts'
import type { Wire } from '../test-wire.ts'

setDefaultTimeout(60_000)

let server: TestServer
let wire: Wire
beforeAll(async () => {
  server = await startTestServer({ ENTREPOT_TRUSTED_PROXIES: '127.0.0.0/8' })
  wire = server.connect()
  await server.accounts.users.create({ name: 'carol', password: PASSWORD })
})
afterAll(() => server.stop())

const challengeOf = async (method: string, path: string, headers: Record<string, string> = {}) => {
  const answer = await wire.request(method, path, { headers })
  return [answer.status, answer.header('www-authenticate')]
}

async function tokenFor(name: string, ...scopes: string[]): Promise<string> {
  const query = scopes.map((scope) => `scope=${encodeURIComponent(scope)}`).join('&')
  const answer = await wire.request('GET', `/token?service=entrepot&${query}`, { as: basic(name) })
  return `Bearer ${answer.json<{ token: string }>().token}`
}

describe('the challenge', () => {
  test('is exactly realm, service and scope, for every kind of request', async () => {
    const start = `Bearer realm="http://${server.host}/token",service="entrepot"`
    const digest = `sha256:${'0'.repeat(64)}`
    expect(await challengeOf('GET', '/v2/')).toEqual([401, start])
    expect(await challengeOf('GET', '/v2')).toEqual([401, start])
    expect(await challengeOf('HEAD', '/v2/')).toEqual([401, start])
    const cases = [
      ['GET', '/v2/_catalog', 'registry:catalog:*'],
      ['GET', '/v2/p/a/b/manifests/latest', 'repository:p/a/b:pull'],
      ['HEAD', '/v2/p/a/b/manifests/latest', 'repository:p/a/b:pull'],
      ['GET', '/v2/p/a/tags/list', 'repository:p/a:pull'],
      ['GET', `/v2/p/a/referrers/${digest}`, 'repository:p/a:pull'],
      ['HEAD', `/v2/p/a/blobs/${digest}`, 'repository:p/a:pull'],
      ['PUT', '/v2/p/a/manifests/latest', 'repository:p/a:pull,push'],
      ['POST', '/v2/p/a/blobs/uploads/', 'repository:p/a:pull,push'],
      ['POST', '/v2/p/a/blobs/uploads', 'repository:p/a:pull,push'],
      ['PATCH', '/v2/p/a/blobs/uploads/some-id', 'repository:p/a:pull,push'],
      ['DELETE', '/v2/p/a/blobs/uploads/some-id', 'repository:p/a:pull,push'],
      ['DELETE', '/v2/p/a/manifests/latest', 'repository:p/a:delete,pull'],
      ['DELETE', `/v2/p/a/blobs/${digest}`, 'repository:p/a:delete,pull'],
      // The name as it was asked for, not as we call it.
      ['PUT', '/v2/hello/manifests/latest', 'repository:hello:pull,push'],
      ['PUT', '/v2/library/hello/manifests/latest', 'repository:library/hello:pull,push'],
    ] as const
    for (const [method, path, scope] of cases) {
      expect(await challengeOf(method, path)).toEqual([401, `${start},scope="${scope}"`])
    }
  })

  test('names the host that the client reached, through trusted proxies too', async () => {
    const realm = async (headers: Record<string, string>) =>
      (await challengeOf('GET', '/v2/', headers))[1]
    expect(await realm({ host: 'registry.example:5000' })).toContain(
      'realm="http://registry.example:5000/token"',
    )
    const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'hub.example' }
    expect(await realm(forwarded)).toContain('realm="https://hub.example/token"')
    // Nothing that a client sends may break out of the quotes.
    const evil = { 'x-forwarded-host': 'evil", scope="x', host: 'good.example' }
    expect(await realm(evil)).toContain('realm="http://good.example/token"')
  })

  test('does not echo what is no name of a repository', async () => {
    for (const name of [
      'UPPER',
      'p/%22',
      'p/%0d%0aset-cookie:x',
      'p/a--',
      `p/${'a'.repeat(300)}`,
    ]) {
      const answer = await wire.request('GET', `/v2/${name}/tags/list`)
      expect([name, answer.status]).toEqual([name, 400])
      expect(errorOf(answer).code).toBe('NAME_INVALID')
      const bad = await wire.request('GET', `/v2/${name}/tags/list`, { as: 'Bearer nonsense' })
      expect(bad.header('www-authenticate')).not.toContain('scope')
    }
  })
})

describe('credentials that are no good', () => {
  test('are challenged like missing ones, and a bad token is called invalid_token', async () => {
    const start = `Bearer realm="http://${server.host}/token",service="entrepot"`
    const path = '/v2/library/a/tags/list'
    const token = await tokenFor('carol', 'repository:library/a:pull')
    for (const as of [
      'Bearer nonsense',
      'Bearer',
      'Bearer ept_unknown',
      `${token}x`,
      'bearer a b',
    ]) {
      const answer = await wire.request('GET', path, { as })
      expect([as, answer.status]).toEqual([as, 401])
      expect(answer.header('www-authenticate')).toBe(
        `${start},scope="repository:library/a:pull",error="invalid_token"`,
      )
      const ping = await wire.request('GET', '/v2/', { as })
      expect(ping.header('www-authenticate')).toBe(`${start},error="invalid_token"`)
    }
    for (const as of [
      basic('carol', 'wrong'),
      'Basic !!!',
      'Basic',
      'Digest a="b"',
      'x',
      'Basic YQ==',
    ]) {
      const answer = await wire.request('GET', path, { as })
      expect([as, answer.status]).toEqual([as, 401])
      expect(answer.header('www-authenticate')).toBe(`${start},scope="repository:library/a:pull"`)
      expect(errorOf(answer).code).toBe('UNAUTHORIZED')
    }
  })

  test('of nobody at all are anonymous', async () => {
    const empty = await wire.request('GET', '/v2/', { as: 'Basic Og==' })
    expect(empty.status).toBe(401)
    const pull = await wire.request('GET', '/v2/library/a/tags/list', { as: 'Basic Og==' })
    expect(pull.status).toBe(404)
  })

  test('a token without scopes is good for the ping', async () => {
    const token = await tokenFor('carol')
    for (const path of ['/v2/', '/v2']) {
      const answer = await wire.request('GET', path, { as: token })
      expect([answer.status, answer.text()]).toEqual([200, '{}'])
      const head = await wire.request('HEAD', path, { as: token })
      expect([head.status, head.header('content-length')]).toEqual([200, '2'])
    }
    expect((await wire.request('GET', '/v2/', { as: basic('carol') })).status).toBe(200)
  })

  test('a token too narrow for what its owner may do says which one to get', async () => {
    const token = await tokenFor('carol', 'repository:library/a:pull', 'repository:carols/b:pull')
    const push = await wire.request('POST', '/v2/carols/b/blobs/uploads/', { as: token })
    expect(push.status).toBe(401)
    const header = push.header('www-authenticate') ?? ''
    expect(header).toStartWith(
      `Bearer realm="http://${server.host}/token",service="entrepot",` +
        'scope="repository:carols/b:pull,push",error="insufficient_scope",error_description="',
    )
    // The conformance program takes the last of these words for the scheme.
    expect(header.match(/basic|bearer/gi)).toEqual(['Bearer'])
    expect(header).toMatch(/^[\x20-\x7e]+$/)
    // What carol may not do at all is another matter.
    const denied = await wire.request('DELETE', '/v2/library/a/manifests/latest', { as: token })
    expect([denied.status, errorOf(denied).code]).toEqual([403, 'DENIED'])
  })
})

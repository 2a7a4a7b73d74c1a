import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import type { Login } from './provider.ts'
import { type FaultServer, startFaultServer } from './test-fault-server.ts'
import { entriesOf, failureOf, remoteOf } from './test-remote.ts'

/* Logging in: by Basic and by token servers of every kind, and to whom a login never goes. */

let server: FaultServer
/** Another host as far as names go: the realm of somebody else. */
let stranger: FaultServer
beforeAll(async () => {
  server = await startFaultServer()
  stranger = await startFaultServer()
})
afterAll(async () => {
  await server.stop()
  await stranger.stop()
})

const KEYS = { accessKey: 'robot', secretKey: 'pl4nted-secret' }
const BASIC = `Basic ${Buffer.from('robot:pl4nted-secret').toString('base64')}`
const TAGS = { body: JSON.stringify({ name: 'a/b', tags: ['v1'] }) }

/** What the token server says; counts as given out when it has a token. */
let answerToken: (query: URLSearchParams) => { status?: number; body?: string }

beforeEach(() => {
  server.seen.length = 0
  stranger.seen.length = 0
  server.challenge = 'Basic realm="test"'
  server.wants = undefined
  answerToken = () => ({ body: JSON.stringify({ token: 'good' }) })
  server.fault = (request) => {
    if (request.path === '/token') return answerToken(request.query)
    const isAllowed = server.wants?.(request.headers.authorization) ?? true
    return request.path === '/v2/a/b/tags/list' && isAllowed ? TAGS : undefined
  }
})

function wantBearer(isGood: (token: string) => boolean = (token) => token === 'good') {
  server.wants = (header) => isGood(header?.replace('Bearer ', '') ?? '')
  server.challenge = `Bearer realm="${server.url}/token",service="test",scope="repository:a/b:pull"`
}

const tagsOf = ({ registry }: ReturnType<typeof remoteOf>) => entriesOf(registry.listTags('a/b'))
const tokenRequests = () => server.seen.filter(({ path }) => path === '/token')

test('nothing is sent where there is no login', async () => {
  expect(await tagsOf(remoteOf(server.url))).toEqual(['v1'])
  expect(server.seen.every(({ headers }) => headers.authorization === undefined)).toBe(true)
})

test('Basic: the ping goes without, the rest with the login', async () => {
  server.wants = (header) => header === BASIC
  expect(await tagsOf(remoteOf(server.url, { endpoint: KEYS }))).toEqual(['v1'])
  expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, BASIC])
})

test('a wrong password is tried once, so that no account is locked', async () => {
  server.wants = () => false
  const failure = await failureOf(tagsOf(remoteOf(server.url, { endpoint: KEYS })))
  expect(failure).toMatchObject({ code: 'remote_denied', problem: 'login', status: 401 })
  expect(server.seen.filter(({ headers }) => headers.authorization)).toHaveLength(1)
  expect(JSON.stringify(failure)).not.toContain('pl4nted-secret')
  const anonymous = await failureOf(tagsOf(remoteOf(server.url)))
  expect(anonymous).toMatchObject({ code: 'remote_denied', problem: 'anonymous' })
})

test('a registry that repeats what it was told in confidence is not quoted', async () => {
  const token = 'handed-0ut-token'
  const repeat = (...texts: string[]) => ({
    status: 403,
    body: JSON.stringify({ errors: [{ code: 'DENIED', message: `no: ${texts.join(' ')} end` }] }),
  })
  const said = [KEYS.secretKey, BASIC.slice(6), token]
  const listing = server.fault
  server.fault = (request) =>
    request.path === '/v2/a/b/tags/list' ? repeat(...said) : listing(request)
  const basic = await failureOf(tagsOf(remoteOf(server.url, { endpoint: KEYS })))
  expect(basic.message).toContain(`DENIED: no: … … ${token} end`)

  server.challenge = `Bearer realm="${server.url}/token"`
  server.wants = () => false
  answerToken = () => ({ body: JSON.stringify({ token }) })
  const bearer = await failureOf(tagsOf(remoteOf(server.url, { endpoint: KEYS })))
  expect(bearer.message).toContain('DENIED: no: … … … end')
  answerToken = () => repeat(...said.slice(0, 2))
  const refused = await failureOf(tagsOf(remoteOf(server.url, { endpoint: KEYS })))
  expect(refused.message).toContain('DENIED: no: … … end')
})

test('a token: asked for once, also by many at once, and again before it ends', async () => {
  wantBearer()
  const remote = remoteOf(server.url, { endpoint: KEYS })
  await Promise.all([1, 2, 3, 4].map(() => tagsOf(remote)))
  const [request] = tokenRequests()
  expect(tokenRequests()).toHaveLength(1)
  expect(request?.headers.authorization).toBe(BASIC)
  expect(Object.fromEntries(request?.query ?? [])).toEqual({
    service: 'test',
    scope: 'repository:a/b:pull',
    account: 'robot',
    client_id: 'entrepot',
  })
  // Without expires_in a token lives for 60 seconds.
  remote.clock.now += 29_000
  await tagsOf(remote)
  expect(tokenRequests()).toHaveLength(1)
  remote.clock.now += 2000
  await tagsOf(remote)
  expect(tokenRequests()).toHaveLength(2)
})

test.each([
  ['access_token', { access_token: 'good', expires_in: 300 }],
  ['both names', { access_token: 'good', token: 'other' }],
  ['an empty second name', { token: 'good', access_token: '' }],
  ['a life in words', { token: 'good', expires_in: '300', issued_at: 'yesterday' }],
  ['a life of nothing', { token: 'good', expires_in: 0, scope: null, refresh_token: 7 }],
])('a token with odd fields: %s', async (_, body) => {
  wantBearer()
  answerToken = () => ({ body: JSON.stringify(body) })
  const remote = remoteOf(server.url, { endpoint: KEYS })
  expect(await tagsOf(remote)).toEqual(['v1'])
  expect(await tagsOf(remote)).toEqual(['v1'])
  expect(tokenRequests()).toHaveLength(1)
})

test.each([
  ['no JSON', '<html>secret</html>', 'answer'],
  ['no token', '{"expires_in": 300}', 'answer'],
  ['a token that breaks the header', '{"token": "a\\r\\nx-evil: 1"}', 'answer'],
  ['more than 1 MiB', JSON.stringify({ token: 'x'.repeat(2 ** 20) }), 'too_large'],
])('no token: %s', async (_, body, problem) => {
  wantBearer()
  answerToken = () => ({ body })
  const failure = await failureOf(tagsOf(remoteOf(server.url, { endpoint: KEYS })))
  expect(failure).toMatchObject({ code: 'remote_error', problem })
  expect(failure.message).not.toContain('secret')
})

test('a token server without GET is asked by POST', async () => {
  wantBearer()
  const byGet = server.fault
  server.fault = (request) =>
    request.path === '/token' && request.method === 'GET' ? { status: 405 } : byGet(request)
  expect(await tagsOf(remoteOf(server.url, { endpoint: KEYS }))).toEqual(['v1'])
  expect(tokenRequests().map(({ method }) => method)).toEqual(['GET', 'POST'])
})

test('a refresh token goes by POST and never as a password', async () => {
  wantBearer()
  const login = async (): Promise<Login> => ({ username: 'x', password: 'y', refreshToken: 'rt' })
  expect(await tagsOf(remoteOf(server.url, { provider: { login } }))).toEqual(['v1'])
  const [request] = tokenRequests()
  expect([request?.method, request?.headers.authorization]).toEqual(['POST', undefined])
})

test('what the registry says is missing is asked for, once', async () => {
  wantBearer((token) => token === 'wide')
  server.challenge = server.challenge.replace('a/b:pull', 'a/b:metadata_read')
  answerToken = (query) => ({
    body: JSON.stringify({
      token: query.get('scope')?.includes('metadata_read') ? 'wide' : 'thin',
    }),
  })
  const remote = remoteOf(server.url, { endpoint: KEYS })
  expect(await tagsOf(remote)).toEqual(['v1'])
  expect(tokenRequests().map(({ query }) => query.get('scope'))).toEqual([
    'repository:a/b:pull',
    'repository:a/b:metadata_read,pull',
  ])
  expect(await tagsOf(remote)).toEqual(['v1'])
  expect(tokenRequests()).toHaveLength(2)
  answerToken = () => ({ body: '{"token": "thin"}' })
  const failure = await failureOf(tagsOf(remoteOf(server.url, { endpoint: KEYS })))
  expect(failure).toMatchObject({ code: 'remote_denied', problem: 'permission' })
  expect(tokenRequests()).toHaveLength(4)
})

test('a registry that lets everybody ping, and wants a token for the rest', async () => {
  wantBearer()
  const { fault } = server
  server.fault = (request) => (request.path === '/v2/' ? { body: '{}' } : fault(request))
  expect(await tagsOf(remoteOf(server.url, { endpoint: KEYS }))).toEqual(['v1'])
})

test.each([
  ['another host', (url: string) => url.replace('127.0.0.1', 'localhost')],
  ['no address', () => 'not an address:'],
])('the login does not go to a realm on %s', async (_, realmOf) => {
  wantBearer()
  server.challenge = `Bearer realm="${realmOf(stranger.url)}/token",service="test"`
  const failure = await failureOf(tagsOf(remoteOf(server.url, { endpoint: KEYS })))
  expect(failure).toMatchObject({ problem: 'realm' })
  expect(stranger.seen).toEqual([])
})

test('a realm at an inner address is not asked, with or without a login', async () => {
  wantBearer()
  server.challenge = 'Bearer realm="http://169.254.169.254/latest/meta-data",service="test"'
  const anonymous = await failureOf(tagsOf(remoteOf(server.url)))
  expect(anonymous).toMatchObject({ code: 'address_refused', kind: 'metadata' })
  const failure = await failureOf(tagsOf(remoteOf(server.url, { endpoint: KEYS })))
  expect(failure).toMatchObject({ code: 'remote_denied', problem: 'realm' })
})

test('a login that ends is got again in time, and once more when it is refused', async () => {
  let logins = 0
  let good = 'p1'
  const remote = remoteOf(server.url, {
    provider: {
      async login({ clock }) {
        logins++
        return { username: 'u', password: `p${logins}`, expiresAt: clock.now() + 3_600_000 }
      },
    },
  })
  server.wants = (header) => header === `Basic ${Buffer.from(`u:${good}`).toString('base64')}`
  await Promise.all([tagsOf(remote), tagsOf(remote)])
  expect(logins).toBe(1)
  good = 'p2'
  expect(await tagsOf(remote)).toEqual(['v1'])
  expect(logins).toBe(2)
  good = 'p3'
  remote.clock.now += 3_400_000
  expect(await tagsOf(remote)).toEqual(['v1'])
  expect(logins).toBe(3)
})

test('a failing login is told, and tried again by the next call', async () => {
  let logins = 0
  const remote = remoteOf(server.url, {
    provider: {
      async login() {
        if (++logins === 1) throw new Error('the cloud is away')
        return undefined
      },
    },
  })
  await expect(tagsOf(remote)).rejects.toThrow('the cloud is away')
  expect(await tagsOf(remote)).toEqual(['v1'])
})

test('a test of the connection sees the challenge, and whether the login is good', async () => {
  wantBearer()
  const { registry } = remoteOf(server.url, { endpoint: KEYS })
  expect(await registry.ping()).toMatchObject({ status: 401, challenges: [{ scheme: 'bearer' }] })
  await registry.authorize(['repository:a/b:pull,push'])
  answerToken = () => ({
    status: 401,
    body: '{"errors":[{"code":"UNAUTHORIZED","message":"no\\u001b[31m"}]}',
  })
  const failure = await failureOf(registry.authorize(['repository:c/d:pull']))
  expect(failure).toMatchObject({ code: 'remote_denied', problem: 'login' })
  expect(failure.message).not.toContain('\u001b')
})

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  ADDRESS,
  basic,
  createTestAccounts,
  PASSWORD,
  SERVICE,
  type TestAccounts,
} from '../../accounts/test-accounts.ts'
import { createGrant } from './grants.ts'
import { createTokenEndpoint, type TokenEndpoint } from './token.ts'

const URL_OF_IT = 'http://registry.example.com/token'

let accounts: TestAccounts
let endpoint: TokenEndpoint
let alice: number

beforeEach(async () => {
  accounts = await createTestAccounts({
    guard: { windowMs: 60_000, perAccount: 3, perAddress: 50 },
  })
  alice = await accounts.createUser('alice')
  const projects = new Map<string, { id: number; name: string; isPublic: boolean }>()
  for (const [name, isPublic] of [
    ['library', true],
    ['payments', false],
    ['foreign', false],
  ] as const) {
    projects.set(name, { id: await accounts.createProject(name, { isPublic }), name, isPublic })
  }
  await accounts.members.put(projects.get('payments')?.id ?? 0, alice, 'developer')
  const grant = createGrant({
    authorizer: accounts.authorizer,
    findProject: async (name) => projects.get(name),
  })
  endpoint = createTokenEndpoint({ ...accounts, grant })
})
afterEach(() => accounts.remove())

const send = (request: Request) => endpoint(request, { address: ADDRESS, service: SERVICE })

function get(query: string, authorization?: string): Promise<Response> {
  return send(
    new Request(`${URL_OF_IT}?${query}`, { headers: authorization ? { authorization } : {} }),
  )
}

function post(form: Record<string, string> | [string, string][]): Promise<Response> {
  return send(new Request(URL_OF_IT, { method: 'POST', body: new URLSearchParams(form) }))
}

interface TokenBody {
  token: string
  access_token: string
  expires_in: number
  issued_at: string
  scope?: string
  refresh_token?: string
}

async function bodyOf(response: Response | Promise<Response>): Promise<TokenBody> {
  const answer = await response
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('application/json')
  expect(answer.headers.get('cache-control')).toBe('no-store')
  return (await answer.json()) as TokenBody
}

/** What the token is good for, as the registry sees it. */
async function granted(response: Response | Promise<Response>): Promise<string[]> {
  const { token } = await bodyOf(response)
  const principal = await accounts.authenticator.authenticate(`Bearer ${token}`, ADDRESS)
  return (principal.scope ?? []).map(
    ({ type, name, actions }) => `${principal.name} ${type}:${name}:${actions.join(',')}`,
  )
}

async function refusal(response: Response | Promise<Response>): Promise<string> {
  const answer = await response
  expect(answer.headers.get('content-type')).toBe('application/json')
  const body = (await answer.json()) as { errors: { code: string; message: string }[] }
  expect(body.errors[0]?.message).toBeString()
  return `${answer.status} ${body.errors[0]?.code}`
}

const alicesBasic = basic('alice', PASSWORD)

describe('GET', () => {
  test('with Basic and no scope, as docker login sends it', async () => {
    const query = 'account=alice&client_id=docker&service=registry.example.com'
    const body = await bodyOf(get(query, alicesBasic))
    expect(body.token).toBe(body.access_token)
    expect(body.expires_in).toBe(300)
    expect(body.issued_at).toBe(new Date(accounts.clock()).toISOString())
    expect(Object.keys(body).sort()).toEqual(['access_token', 'expires_in', 'issued_at', 'token'])
    expect(await granted(get(query, alicesBasic))).toEqual([])
  })

  test('grants what was asked and is allowed, and leaves out the rest', async () => {
    const scopes = [
      'scope=repository:payments/api:pull,push,delete',
      'scope=repository:foreign/app:pull',
      'scope=repository:hello:pull%20registry:catalog:*%20unknown:x:y',
      'scope=repository:localhost:5000/payments/web:push,pull',
      'scope=repository(plugin):payments/plugin:*',
    ]
    expect(await granted(get(scopes.join('&'), alicesBasic))).toEqual([
      'alice repository:payments/api:pull,push',
      'alice repository:library/hello:pull',
      'alice registry:catalog:*',
      'alice repository:payments/web:push,pull',
      'alice repository:payments/plugin:pull,push',
    ])
  })

  test('anonymous gets a token for what is public, also when it is for nothing', async () => {
    const public_ = 'scope=repository:library/hello:pull,push'
    expect(await granted(get(public_))).toEqual(['anonymous repository:library/hello:pull'])
    expect(await granted(get(public_, 'Basic Og=='))).toEqual([
      'anonymous repository:library/hello:pull',
    ])
    expect(await granted(get('scope=repository:payments/api:pull'))).toEqual([])
    expect(await granted(get('scope=repository:new/app:push'))).toEqual([])
  })

  test('nobody without a scope is asked to sign in; an empty login gets an empty token', async () => {
    const response = await get('service=x')
    expect(response.headers.get('www-authenticate')).toBe(`Basic realm="${SERVICE}"`)
    expect(await refusal(response)).toBe('401 UNAUTHORIZED')
    expect(await granted(get('', 'Basic Og=='))).toEqual([])
  })

  test('wrong credentials are 401, and after some 429 with Retry-After', async () => {
    const scope = 'scope=repository:library/hello:pull'
    for (let i = 0; i < 3; i++) {
      expect(await refusal(get(scope, basic('alice', `Wrong-${i}`)))).toBe('401 UNAUTHORIZED')
    }
    const response = await get(scope, basic('alice', 'Wrong-3'))
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await refusal(response)).toBe('429 TOOMANYREQUESTS')
    expect(await refusal(get(scope, 'Digest x'))).toBe('401 UNAUTHORIZED')
  })

  test('a refresh token comes only when an offline token is asked for', async () => {
    expect((await bodyOf(get('offline_token=true', alicesBasic))).refresh_token).toBeString()
    expect((await bodyOf(get('offline_token=false', alicesBasic))).refresh_token).toBeUndefined()
    const anonymous = await bodyOf(get('offline_token=true&scope=repository:library/hello:pull'))
    expect(anonymous.refresh_token).toBeUndefined()
  })

  test('an API token and a robot sign in; a registry token is not exchanged', async () => {
    const { token } = await accounts.apiTokens.create(alice, { name: 'ci' })
    const scope = 'scope=repository:payments/api:pull'
    const expected = ['alice repository:payments/api:pull']
    expect(await granted(get(scope, basic('alice', token)))).toEqual(expected)
    expect(await granted(get(scope, `Bearer ${token}`))).toEqual(expected)
    const narrow = await bodyOf(get(scope, alicesBasic))
    expect(await refusal(get(scope, `Bearer ${narrow.token}`))).toBe('401 UNAUTHORIZED')
    const { robot, secret } = await accounts.robots.create(null, { name: 'ci', roles: [] })
    expect(
      await granted(get('scope=repository:library/hello:pull', basic(robot.name, secret))),
    ).toEqual(['system+ci repository:library/hello:pull'])
  })
})

describe('POST', () => {
  const password = { grant_type: 'password', username: 'alice', password: PASSWORD }

  test('with a password, as containerd and helm send it', async () => {
    const scope = 'repository:payments/api:pull,push repository:foreign/app:pull'
    const form = { ...password, service: SERVICE, client_id: 'containerd-client', scope }
    const body = await bodyOf(post(form))
    expect(body).toMatchObject({
      token: body.access_token,
      expires_in: 300,
      scope: 'repository:payments/api:pull,push',
      issued_at: new Date(accounts.clock()).toISOString(),
    })
    expect(body.refresh_token).toBeUndefined()
    expect(await granted(post(form))).toEqual(['alice repository:payments/api:pull,push'])
    expect(await granted(post({ ...password, service: SERVICE }))).toEqual([])
  })

  test('the refresh token replaces the password, for GET’s and POST’s tokens alike', async () => {
    const first = await bodyOf(post({ ...password, access_type: 'offline' }))
    const login = await bodyOf(get('offline_token=true&client_id=docker', alicesBasic))
    for (const refreshToken of [first.refresh_token, login.refresh_token]) {
      const form = {
        grant_type: 'refresh_token',
        refresh_token: refreshToken ?? '',
        service: SERVICE,
        client_id: 'docker',
        scope: 'repository:payments/api:push,pull repository:hello:pull',
      }
      const body = await bodyOf(post(form))
      expect(body.scope).toBe('repository:payments/api:push,pull repository:hello:pull')
      expect(body.refresh_token).toBeUndefined()
      expect((await bodyOf(post({ ...form, access_type: 'offline' }))).refresh_token).toBe(
        refreshToken ?? '',
      )
      expect(await granted(post(form))).toEqual([
        'alice repository:payments/api:push,pull',
        'alice repository:library/hello:pull',
      ])
    }
    await accounts.users.setPassword(alice, 'Another-horse-2')
    const form = { grant_type: 'refresh_token', refresh_token: login.refresh_token ?? '' }
    expect(await refusal(post(form))).toBe('401 UNAUTHORIZED')
  })

  test('a refresh token of another service is unknown', async () => {
    const { refresh_token = '' } = await bodyOf(get('offline_token=true', alicesBasic))
    const request = new Request(URL_OF_IT, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token }),
    })
    const elsewhere = endpoint(request, { address: ADDRESS, service: 'other.example.com' })
    expect(await refusal(elsewhere)).toBe('401 UNAUTHORIZED')
  })

  test('what is wrong is said in the form that Docker reads', async () => {
    expect(await refusal(post({ ...password, password: 'Wrong-pass-1' }))).toBe('401 UNAUTHORIZED')
    expect(await refusal(post({ ...password, username: 'alice\u0000' }))).toBe('401 UNAUTHORIZED')
    expect(await refusal(post({ grant_type: 'password' }))).toBe('401 UNAUTHORIZED')
    expect(await refusal(post({ grant_type: 'refresh_token' }))).toBe('401 UNAUTHORIZED')
    expect(await refusal(post({ grant_type: 'implicit' }))).toBe('400 UNSUPPORTED')
    expect(await refusal(post({}))).toBe('400 UNSUPPORTED')
  })

  test('nobody with a scope is anonymous', async () => {
    const form = { grant_type: 'password', scope: 'repository:library/hello:pull' }
    expect(await granted(post(form))).toEqual(['anonymous repository:library/hello:pull'])
  })

  test('a form that is too large is refused, announced or not', async () => {
    const large = `grant_type=password&x=${'a'.repeat(70_000)}`
    expect(await refusal(send(new Request(URL_OF_IT, { method: 'POST', body: large })))).toBe(
      '413 UNSUPPORTED',
    )
    const streamed = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(16_384).fill(97))
      },
    })
    const endless = new Request(URL_OF_IT, { method: 'POST', body: streamed })
    expect(await refusal(send(endless))).toBe('413 UNSUPPORTED')
  })

  test('a form that does not arrive whole is the failure of the client', async () => {
    const broken = new ReadableStream({
      pull(controller) {
        controller.error(new DOMException('The connection was closed.', 'AbortError'))
      },
    })
    const request = new Request(URL_OF_IT, { method: 'POST', body: broken })
    expect(await refusal(send(request))).toBe('400 UNSUPPORTED')
  })

  test('a form in several pieces is read whole', async () => {
    const bytes = new TextEncoder().encode(
      new URLSearchParams({ ...password, scope: 'repository:hello:pull', note: 'ä' }).toString(),
    )
    const body = new ReadableStream({
      start(controller) {
        for (const byte of bytes) controller.enqueue(new Uint8Array([byte]))
        controller.close()
      },
    })
    expect(await granted(send(new Request(URL_OF_IT, { method: 'POST', body })))).toEqual([
      'alice repository:library/hello:pull',
    ])
  })
})

test('huge and hostile scopes are a 400 or grant nothing', async () => {
  const many = Array.from({ length: 500 }, (_, i) => `scope=repository:payments/r${i}:pull`)
  expect(await refusal(get(many.join('&'), alicesBasic))).toBe('400 UNSUPPORTED')
  const hostile = [
    'repository:*:*',
    'repository:payments/*:pull',
    '*:*:*',
    'repository:payments/api:pull\nrepository:foreign/app:pull',
    'repository:payments/api\u0000:pull',
    'repository:../foreign/app:pull',
  ]
  for (const scope of hostile) {
    const query = new URLSearchParams({ scope }).toString()
    expect([scope, await granted(get(query, alicesBasic))]).toEqual([scope, []])
  }
})

test('a hundred scopes at their longest make a token that fits into a header', async () => {
  const scopes = Array.from(
    { length: 60 },
    (_, i) => `repository:payments/${'r'.repeat(230)}${i}:*`,
  )
  const { token } = await bodyOf(
    post({
      grant_type: 'password',
      username: 'alice',
      password: PASSWORD,
      scope: scopes.join(' ').slice(0, 16_000),
    }),
  )
  expect(token.length).toBeLessThan(48_000)
})

test('other methods are refused with what is possible', async () => {
  const response = await send(new Request(URL_OF_IT, { method: 'PUT' }))
  expect(response.headers.get('allow')).toBe('GET, POST')
  expect(await refusal(response)).toBe('405 UNSUPPORTED')
})

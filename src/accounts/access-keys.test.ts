import { afterEach, expect, test } from 'bun:test'
import { sdkDateOf, signRequest } from '../lib/huawei-signature.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import { MAX_ACCESS_KEYS } from './access-keys.ts'
import type { Accounts } from './accounts.ts'
import { GRANT_LIFETIME_MS } from './authorize.ts'
import type { IncomingRequest } from './signed-requests.ts'
import { ADDRESS, codeOf, createTestAccounts, type TestAccounts } from './test-accounts.ts'

const HOST = 'registry.example.com'
const PATH = '/v5/payments/image/registries'

interface Key {
  accessKey: string
  secretKey: string
}

onEachEngine('access keys', (create) => {
  let accounts: TestAccounts
  let alice: number
  afterEach(() => accounts.remove())

  async function start(): Promise<Key> {
    accounts = await createTestAccounts({}, create)
    alice = await accounts.createUser('alice')
    return accounts.accessKeys.create(alice, { name: 'scanner' })
  }

  interface Signed {
    method?: string
    body?: string
    query?: string
    headers?: Record<string, string>
    /** Of the signature, in milliseconds from now. */
    offset?: number
  }

  function signed({ accessKey, secretKey }: Key, asked: Signed = {}): IncomingRequest {
    const { method = 'GET', body = '', query = '', headers = {}, offset = 0 } = asked
    const url = new URL(`https://${HOST}${PATH}${query}`)
    const now = accounts.clock() + offset
    const added = signRequest({ method, url, headers, body, accessKey, secretKey, now })
    const all: Record<string, string> = { ...headers, host: HOST, ...added }
    return {
      method,
      path: PATH,
      query: url.searchParams,
      header: (name) => all[name] ?? null,
      hosts: [HOST],
      body: Buffer.from(body),
      address: ADDRESS,
    }
  }

  const verify = (request: IncomingRequest, process: Accounts = accounts) =>
    codeOf(process.signedRequests.verify(request))

  test('who signs a request with a key is its owner', async () => {
    const key = await start()
    expect(await accounts.signedRequests.verify(signed(key))).toMatchObject({
      kind: 'user',
      account: alice,
      name: 'alice',
      isAdmin: false,
      login: { method: 'access-key', expiresAt: null },
    })
    const [listed] = await accounts.accessKeys.list(alice)
    expect(listed).toMatchObject({ name: 'scanner', lastUsedAt: accounts.clock() })
    const rows = await accounts.db.query.selectFrom('access_key').selectAll().execute()
    expect(JSON.stringify([listed, rows])).not.toContain(key.secretKey)
  })

  test('whatever was signed cannot be changed', async () => {
    const key = await start()
    const post = () => signed(key, { method: 'POST', body: '{"ids":["1"]}', query: '?a=1&b=2' })
    const changes: [string, Partial<IncomingRequest>][] = [
      ['method', { method: 'PUT' }],
      ['path', { path: `${PATH}/1` }],
      ['query', { query: new URLSearchParams('a=1&b=3') }],
      ['more query', { query: new URLSearchParams('a=1&b=2&c=3') }],
      ['body', { body: Buffer.from('{"ids":["2"]}') }],
      ['no body', { body: Buffer.alloc(0) }],
      ['host', { hosts: ['other.example.com'] }],
      ['no host', { hosts: [] }],
    ]
    for (const [what, change] of changes) {
      expect([what, await verify({ ...post(), ...change })]).toEqual([what, 'unauthenticated'])
    }
    const later = signed(key, { offset: 1_000 }).header('x-sdk-date')
    const dated = post()
    const withDate = {
      ...dated,
      header: (name: string) => (name === 'x-sdk-date' ? later : dated.header(name)),
    }
    expect(await verify(withDate)).toBe('unauthenticated')
    expect(await verify({ ...post(), hosts: ['other.example.com', HOST] })).toBe('none')
  })

  test('another secret, an unknown key and other schemes are refused', async () => {
    const key = await start()
    const { secretKey } = await accounts.accessKeys.create(alice, { name: 'other' })
    expect(await verify(signed({ ...key, secretKey }))).toBe('unauthenticated')
    expect(await verify(signed({ ...key, accessKey: 'EPAKABCDEFGHIJKLMNOP' }))).toBe(
      'unauthenticated',
    )
    const request = signed(key)
    for (const header of [
      null,
      'Basic YTpi',
      'SDK-HMAC-SM3 Access=a, SignedHeaders=b, Signature=c',
    ]) {
      expect(await verify({ ...request, header: () => header })).toBe('unauthenticated')
    }
    expect(await verify({ ...request, path: '/%ff' })).toBe('unauthenticated')
  })

  test('the clock of the client may be 15 minutes off', async () => {
    const key = await start()
    const second = 1_000 - (accounts.clock() % 1_000)
    accounts.pass(second)
    const limit = 15 * 60_000
    for (const [offset, outcome] of [
      [-limit, 'none'],
      [limit, 'none'],
      [-limit - 1_000, 'unauthenticated'],
      [limit + 1_000, 'unauthenticated'],
    ] as const) {
      expect([offset, await verify(signed(key, { offset }))]).toEqual([offset, outcome])
    }
    const request = signed(key)
    const header = (name: string) => (name === 'x-sdk-date' ? null : request.header(name))
    expect(await verify({ ...request, header })).toBe('unauthenticated')
  })

  test.each(['POST', 'PUT', 'DELETE', 'PATCH'])('a %s is let through once', async (method) => {
    const key = await start()
    const other = accounts.anotherProcess()
    const request = signed(key, { method })
    const outcomes = await Promise.all([verify(request), verify(request, other)])
    expect(outcomes.sort()).toEqual(['none', 'unauthenticated'])
    expect(await verify(request, other)).toBe('unauthenticated')
    // Equal, but signed a second later.
    expect(await verify(signed(key, { method, offset: 1_000 }), other)).toBe('none')
    // Not even when its date is about to be too old, and what was seen is swept.
    accounts.pass(15 * 60_000 - 1_000)
    await accounts.signedRequests.sweep()
    expect(await verify(request)).toBe('unauthenticated')
    expect(await accounts.db.query.selectFrom('seen_signature').selectAll().execute()).toHaveLength(
      2,
    )
    accounts.pass(6 * 60_000)
    expect(await accounts.signedRequests.sweep()).toBe(2)
  })

  test('equal reads of one second are all let through', async () => {
    const key = await start()
    for (const method of ['GET', 'HEAD']) {
      const request = signed(key, { method })
      expect(await Promise.all([verify(request), verify(request), verify(request)])).toEqual([
        'none',
        'none',
        'none',
      ])
    }
  })

  test('a change that was refused may come again, signed right', async () => {
    const key = await start()
    const request = signed(key, { method: 'POST', body: '{}' })
    expect(await verify({ ...request, body: Buffer.from('{ }') })).toBe('unauthenticated')
    expect(await verify(request)).toBe('none')
  })

  test('a body may be left unsigned when the signature says so', async () => {
    const key = await start()
    const headers = { 'x-sdk-content-sha256': 'UNSIGNED-PAYLOAD' }
    const request = signed(key, { method: 'POST', body: 'what was meant', headers })
    expect(await verify({ ...request, body: Buffer.from('anything') })).toBe('none')
    // Said by somebody on the way.
    const plain = signed(key, { method: 'POST', body: 'what was meant' })
    const header = (name: string) =>
      name === 'x-sdk-content-sha256' ? 'UNSIGNED-PAYLOAD' : plain.header(name)
    expect(await verify({ ...plain, header, body: Buffer.from('anything') })).toBe(
      'unauthenticated',
    )
    const wrong = signed(key, { headers: { 'x-sdk-content-sha256': '0'.repeat(64) } })
    expect(await verify(wrong)).toBe('unauthenticated')
  })

  test('guesses are counted, and a good signature always passes', async () => {
    const key = await start()
    const bad = { ...key, secretKey: 'guess' }
    const outcomes = []
    for (let i = 0; i < 12; i++) outcomes.push(await verify(signed(bad)))
    expect(outcomes.at(0)).toBe('unauthenticated')
    expect(outcomes.at(-1)).toBe('rate_limited')
    expect(await verify(signed(key))).toBe('none')
  })

  test('a key ends in every process when it is disabled, deleted or expired', async () => {
    const key = await start()
    const other = accounts.anotherProcess()
    const outcome = async () => [await verify(signed(key)), await verify(signed(key), other)]
    const [{ id = 0 } = {}] = await accounts.accessKeys.list(alice)
    expect(await outcome()).toEqual(['none', 'none'])
    await accounts.accessKeys.setDisabled(alice, id, true)
    expect(await outcome()).toEqual(['unauthenticated', 'unauthenticated'])
    await accounts.accessKeys.setDisabled(alice, id, false)
    expect(await outcome()).toEqual(['none', 'none'])
    await accounts.accessKeys.revoke(alice, id)
    expect(await outcome()).toEqual(['unauthenticated', 'unauthenticated'])
    const expiresAt = accounts.clock() + 1_000
    const short = await accounts.accessKeys.create(alice, { name: 'short', expiresAt })
    expect(await verify(signed(short))).toBe('none')
    accounts.pass(1_000)
    expect(await verify(signed(short))).toBe('unauthenticated')
  })

  test('what was begun with a key ends within five seconds after it', async () => {
    const key = await start()
    const other = accounts.anotherProcess()
    const principal = await other.signedRequests.verify(signed(key))
    expect(await codeOf(other.authenticator.renew(principal))).toBe('none')
    const [{ id = 0 } = {}] = await accounts.accessKeys.list(alice)
    await accounts.accessKeys.setDisabled(alice, id, true)
    accounts.pass(GRANT_LIFETIME_MS)
    expect(await codeOf(other.authenticator.renew(principal))).toBe('unauthenticated')
  })

  test('a disabled account signs nothing, a deleted one takes its keys along', async () => {
    const key = await start()
    await accounts.users.update(alice, { disabled: true })
    expect(await verify(signed(key))).toBe('unauthenticated')
    await accounts.users.update(alice, { disabled: false })
    expect(await verify(signed(key))).toBe('none')
    await accounts.users.setPassword(alice, 'Another-horse-2')
    expect(await verify(signed(key))).toBe('none')
    await accounts.users.remove(alice)
    expect(await accounts.db.query.selectFrom('access_key').selectAll().execute()).toEqual([])
  })

  test('keys go with the password when API tokens do', async () => {
    const key = await start()
    await accounts.users.setPassword(alice, 'Another-horse-2', { revokeApiTokens: true })
    expect(await verify(signed(key))).toBe('unauthenticated')
  })

  test('there are at most ten, each with a name of its own', async () => {
    await start()
    const another = (name: string) => codeOf(accounts.accessKeys.create(alice, { name }))
    expect(await another('scanner')).toBe('conflict')
    for (const wrong of ['', ' ', 'x'.repeat(129), 'a\0b']) {
      expect([wrong, await another(wrong)]).toEqual([wrong, 'invalid_input'])
    }
    for (let i = 1; i < MAX_ACCESS_KEYS; i++) expect(await another(`key ${i}`)).toBe('none')
    expect(await another('one more')).toBe('conflict')
    expect(await codeOf(accounts.accessKeys.create(999_999, { name: 'x' }))).toBe('not_found')
    const bob = await accounts.createUser('bob')
    const [{ id = 0 } = {}] = await accounts.accessKeys.list(alice)
    expect(await codeOf(accounts.accessKeys.revoke(bob, id))).toBe('not_found')
    expect(await codeOf(accounts.accessKeys.setDisabled(bob, id, true))).toBe('not_found')
  })
})

test('dates are signed in whole seconds', () => {
  expect(sdkDateOf(1_700_000_000_999)).toBe(sdkDateOf(1_700_000_000_000))
})

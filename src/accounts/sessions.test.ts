import { afterEach, expect, test } from 'bun:test'
import { onEachEngine } from '../store/db/test-databases.ts'
import type { Principal } from './principal.ts'
import {
  ADDRESS,
  codeOf,
  createTestAccounts,
  PASSWORD,
  type TestAccounts,
} from './test-accounts.ts'

const HOUR_MS = 3_600_000
const FROM = { address: ADDRESS, userAgent: 'Browser/1.0' }

onEachEngine('sessions', (create) => {
  let accounts: TestAccounts
  afterEach(() => accounts.remove())

  async function start(settings = {}): Promise<Principal> {
    accounts = await createTestAccounts(settings, create)
    await accounts.createUser('alice')
    return accounts.authenticator.checkPassword('alice', PASSWORD, ADDRESS)
  }
  const nameOf = async (token: string) => (await accounts.sessions.use(token))?.principal.name

  test('stands for who signed in, in every process, until it is closed', async () => {
    const alice = await start()
    const { token } = await accounts.sessions.open(alice, FROM)
    expect(await nameOf(token)).toBe('alice')
    expect((await accounts.anotherProcess().sessions.use(token))?.principal).toEqual({
      kind: 'user',
      account: alice.account,
      name: 'alice',
      isAdmin: false,
      login: { method: 'session', epoch: 0, expiresAt: null },
    })
    expect(await nameOf(`${token}x`)).toBeUndefined()
    await accounts.sessions.close(token)
    expect(await nameOf(token)).toBeUndefined()
    const rows = await accounts.db.query.selectFrom('session').selectAll().execute()
    expect(rows).toEqual([])
  })

  test('keeps neither the token nor what changes need', async () => {
    const alice = await start()
    const { token } = await accounts.sessions.open(alice, FROM)
    const csrf = accounts.sessions.csrfOf(token)
    const rows = await accounts.db.query.selectFrom('session').selectAll().execute()
    expect(JSON.stringify(rows)).not.toContain(token)
    expect(JSON.stringify(rows)).not.toContain(csrf)
    expect(accounts.sessions.isCsrf(token, csrf)).toBe(true)
    expect(accounts.sessions.isCsrf(token, '')).toBe(false)
    expect(accounts.sessions.isCsrf(`${token}x`, csrf)).toBe(false)
  })

  test('ends when nobody used it for a while, and in any case', async () => {
    const alice = await start({ sessionIdleMs: HOUR_MS, sessionLifetimeMs: 3 * HOUR_MS })
    const [busy, idle] = [
      await accounts.sessions.open(alice, FROM),
      await accounts.sessions.open(alice, FROM),
    ]
    for (let i = 0; i < 3; i++) {
      accounts.pass(0.9 * HOUR_MS)
      expect(await nameOf(busy.token)).toBe('alice')
    }
    expect(await nameOf(idle.token)).toBeUndefined()
    expect(await accounts.sessions.sweep()).toBe(1)
    accounts.pass(0.4 * HOUR_MS)
    expect(await nameOf(busy.token)).toBeUndefined()
    expect(await accounts.sessions.sweep()).toBe(1)
  })

  test('ends with a new password, a disabled and a deleted account', async () => {
    const alice = await start()
    const account = alice.account ?? 0
    const { token } = await accounts.sessions.open(alice, FROM)
    await accounts.users.setPassword(account, 'Another-horse-2')
    expect(await nameOf(token)).toBeUndefined()
    // What was proven before the change brings no session after it.
    expect(await codeOf(accounts.sessions.open(alice, FROM))).toBe('unauthenticated')

    const again = await accounts.authenticator.checkPassword('alice', 'Another-horse-2', ADDRESS)
    const second = await accounts.sessions.open(again, FROM)
    await accounts.users.update(account, { disabled: true })
    expect(await nameOf(second.token)).toBeUndefined()
    await accounts.users.update(account, { disabled: false })
    expect(await nameOf(second.token)).toBeUndefined()

    const fresh = await accounts.authenticator.checkPassword('alice', 'Another-horse-2', ADDRESS)
    const third = await accounts.sessions.open(fresh, FROM)
    await accounts.users.remove(account)
    expect(await nameOf(third.token)).toBeUndefined()
  })

  test('is for passwords only', async () => {
    const alice = await start()
    const { token } = await accounts.apiTokens.create(alice.account ?? 0, { name: 'ci' })
    const byToken = await accounts.authenticator.signIn('alice', token, ADDRESS)
    expect(await codeOf(accounts.sessions.open(byToken, FROM))).toBe('denied')
    expect(await codeOf(accounts.authenticator.checkPassword('alice', token, ADDRESS))).toBe(
      'unauthenticated',
    )
  })

  test('the oldest make room', async () => {
    const alice = await start()
    const first = await accounts.sessions.open(alice, FROM)
    for (let i = 0; i < 49; i++) await accounts.sessions.open(alice, FROM)
    expect(await nameOf(first.token)).toBe('alice')
    await accounts.sessions.open(alice, FROM)
    expect(await nameOf(first.token)).toBeUndefined()
  })

  test('tells whether a password was chosen by anybody', async () => {
    accounts = await createTestAccounts({}, create)
    await accounts.prepare()
    const admin = (await accounts.users.find('admin'))?.id ?? 0
    expect(await accounts.sessions.hasGeneratedPassword(admin)).toBe(true)
    await accounts.users.setPassword(admin, PASSWORD)
    expect(await accounts.sessions.hasGeneratedPassword(admin)).toBe(false)
    const alice = await accounts.createUser('alice')
    expect(await accounts.sessions.hasGeneratedPassword(alice)).toBe(false)
  })
})

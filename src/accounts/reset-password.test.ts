import { afterEach, expect, test } from 'bun:test'
import { listAudit } from '../events/audit.ts'
import { failureOf } from '../lib/test-failure.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import { GRANT_LIFETIME_MS } from './authorize.ts'
import { createPasswords } from './passwords.ts'
import { type ResetRequest, resetPassword } from './reset-password.ts'
import {
  ADDRESS,
  basic,
  codeOf,
  createTestAccounts,
  PASSWORD,
  type TestAccounts,
} from './test-accounts.ts'

onEachEngine('a password reset on the machine', (create) => {
  let accounts: TestAccounts
  afterEach(() => accounts.remove())

  const as = (header: string) => codeOf(accounts.authenticator.authenticate(header, ADDRESS))
  /** As another process beside the server: the server's own memory is not told. */
  const reset = ({ db, clock }: TestAccounts, request: Partial<ResetRequest> = {}) =>
    resetPassword(
      { db, clock, passwords: createPasswords() },
      { name: 'admin', keepsTokens: false, by: 'root', ...request },
    )

  test('makes one up, ends what stood on the old one, and is in the audit', async () => {
    accounts = await createTestAccounts({}, create)
    const id = await accounts.createUser('admin', { isAdmin: true })
    const { token } = await accounts.apiTokens.create(id, { name: 'ci' })
    const principal = await accounts.authenticator.authenticate(basic('admin', PASSWORD), ADDRESS)
    const session = await accounts.sessions.open(principal, { address: ADDRESS, userAgent: '' })

    const { password = '', user } = await reset(accounts)
    expect(user).toMatchObject({ name: 'admin', isAdmin: true })
    expect(password.length).toBeGreaterThanOrEqual(20)
    accounts.pass(GRANT_LIFETIME_MS)
    expect(await as(basic('admin', PASSWORD))).toBe('unauthenticated')
    expect(await as(`Bearer ${token}`)).toBe('unauthenticated')
    expect(await accounts.sessions.use(session.token)).toBeUndefined()
    expect(await as(basic('admin', password))).toBe('none')

    const { items } = await listAudit(accounts.db.query)
    expect(items).toMatchObject([
      {
        account: null,
        accountName: 'command line',
        action: 'user.password',
        resource: 'admin',
        details: { reason: 'reset on the machine by root' },
      },
    ])
    expect(JSON.stringify(items)).not.toContain(password)
  })

  test('takes one that is given, and leaves tokens where that is asked for', async () => {
    accounts = await createTestAccounts({}, create)
    const id = await accounts.createUser('admin', { isAdmin: true })
    const { token } = await accounts.apiTokens.create(id, { name: 'ci' })
    const answer = await reset(accounts, { password: 'Given-horse-1', keepsTokens: true })
    expect(answer).not.toHaveProperty('password')
    accounts.pass(GRANT_LIFETIME_MS)
    expect(await as(basic('admin', 'Given-horse-1'))).toBe('none')
    expect(await as(`Bearer ${token}`)).toBe('none')
  })

  test('a weak one changes nothing', async () => {
    accounts = await createTestAccounts({}, create)
    await accounts.createUser('admin', { isAdmin: true })
    const refused = await failureOf(reset(accounts, { password: 'short' }))
    expect(refused.code).toBe('invalid_input')
    expect(await as(basic('admin', PASSWORD))).toBe('none')
  })

  test('who mistook the name is told the administrators', async () => {
    accounts = await createTestAccounts({}, create)
    await accounts.createUser('root', { isAdmin: true })
    await accounts.createUser('alice')
    expect(await failureOf(reset(accounts))).toMatchObject({
      code: 'not_found',
      message: 'there is no user "admin"; administrators are "root"',
    })
  })
})

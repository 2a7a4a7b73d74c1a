import { afterEach, beforeEach, expect, test } from 'bun:test'
import type { Principal } from './principal.ts'
import {
  ADDRESS,
  codeOf,
  createTestAccounts,
  PASSWORD,
  SERVICE,
  type TestAccounts,
} from './test-accounts.ts'

const DAY_MS = 86_400_000

let accounts: TestAccounts
let alice: Principal

beforeEach(async () => {
  accounts = await createTestAccounts()
  await accounts.createUser('alice')
  alice = await accounts.authenticator.signIn('alice', PASSWORD, ADDRESS)
})
afterEach(() => accounts.remove())

const issue = async () => (await accounts.refreshTokens.issue(alice, SERVICE)) ?? 'none issued'
const use = (token: string, service = SERVICE) => codeOf(accounts.refreshTokens.use(token, service))

test('stands for the password, for its service only, any number of times', async () => {
  const token = await issue()
  for (let i = 0; i < 3; i++) {
    expect(await accounts.refreshTokens.use(token, SERVICE)).toEqual({
      kind: 'user',
      account: alice.account,
      name: 'alice',
      isAdmin: false,
      login: { method: 'refresh-token', epoch: 0, expiresAt: null },
    })
  }
  expect(await use(token, 'other.example.com')).toBe('unauthenticated')
  expect(await use(`${token}x`)).toBe('unauthenticated')
  expect(await use('')).toBe('unauthenticated')
  const rows = await accounts.db.query.selectFrom('refresh_token').selectAll().execute()
  expect(JSON.stringify(rows)).not.toContain(token)
})

test('lives for thirty days after its last use', async () => {
  const [used, unused] = [await issue(), await issue()]
  for (let i = 0; i < 3; i++) {
    accounts.pass(20 * DAY_MS)
    expect(await use(used)).toBe('none')
  }
  expect(await use(unused)).toBe('unauthenticated')
  expect(await accounts.refreshTokens.sweep()).toBe(1)
  accounts.pass(30 * DAY_MS)
  expect(await use(used)).toBe('unauthenticated')
})

test('is for passwords only: nobody turns a revocable secret into one that is not', async () => {
  const { token } = await accounts.apiTokens.create(alice.account ?? 0, { name: 'ci' })
  const { robot, secret } = await accounts.robots.create(null, { name: 'ci', roles: [] })
  const refresh = await accounts.refreshTokens.use(await issue(), SERVICE)
  const others = [
    await accounts.authenticator.signIn('alice', token, ADDRESS),
    await accounts.authenticator.signIn(robot.name, secret, ADDRESS),
    refresh,
  ]
  for (const principal of others) {
    expect(await accounts.refreshTokens.issue(principal, SERVICE)).toBeUndefined()
  }
})

test('the oldest of very many make room', async () => {
  const first = await issue()
  const second = await issue()
  await accounts.db.query
    .insertInto('refresh_token')
    .values(
      Array.from({ length: 98 }, (_, i) => ({
        account: alice.account ?? 0,
        hash: `h${i}`,
        service: SERVICE,
        created_at: 1,
        expires_at: accounts.clock() + DAY_MS,
      })),
    )
    .execute()
  const last = await issue()
  expect([await use(first), await use(second), await use(last)]).toEqual([
    'unauthenticated',
    'none',
    'none',
  ])
})

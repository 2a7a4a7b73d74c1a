import { afterEach, beforeEach, expect, test } from 'bun:test'
import { ADDRESS, codeOf, createTestAccounts, type TestAccounts } from './test-accounts.ts'

let accounts: TestAccounts
let alice: number

beforeEach(async () => {
  accounts = await createTestAccounts()
  alice = await accounts.createUser('alice')
})
afterEach(() => accounts.remove())

const use = (token: string) =>
  codeOf(accounts.authenticator.authenticate(`Bearer ${token}`, ADDRESS))

test('a token is shown once, and only its hash is kept', async () => {
  const created = await accounts.apiTokens.create(alice, { name: 'laptop' })
  expect(created.token).toMatch(/^ept_[A-Za-z0-9_-]{43}$/)
  const { token, ...rest } = created
  expect(rest).toEqual({
    id: created.id,
    name: 'laptop',
    createdAt: accounts.clock(),
    expiresAt: null,
    lastUsedAt: null,
  })
  expect(await accounts.apiTokens.list(alice)).toEqual([rest])
  const rows = await accounts.db.query.selectFrom('api_token').selectAll().execute()
  expect(JSON.stringify(rows)).not.toContain(token.slice(4))
})

test('its use is noted, to within ten minutes', async () => {
  const { token } = await accounts.apiTokens.create(alice, { name: 'laptop' })
  const lastUse = async () => (await accounts.apiTokens.list(alice))[0]?.lastUsedAt ?? 0
  const first = accounts.clock()
  await use(token)
  expect(await lastUse()).toBe(first)
  accounts.pass(60_000)
  await use(token)
  expect(await lastUse()).toBe(first)
  accounts.pass(600_000)
  await use(token)
  expect(await lastUse()).toBe(first + 660_000)
})

test('it ends when it expires', async () => {
  const expiresAt = accounts.clock() + 1_000
  const { token } = await accounts.apiTokens.create(alice, { name: 'short', expiresAt })
  expect(await use(token)).toBe('none')
  accounts.pass(1_000)
  expect(await use(token)).toBe('unauthenticated')
})

test('a name is used once per account, and is a name', async () => {
  await accounts.apiTokens.create(alice, { name: 'laptop' })
  expect(await codeOf(accounts.apiTokens.create(alice, { name: 'laptop' }))).toBe('conflict')
  const bob = await accounts.createUser('bob')
  expect(await codeOf(accounts.apiTokens.create(bob, { name: 'laptop' }))).toBe('none')
  for (const name of ['', '  ', 'a\nb', 'x'.repeat(129)]) {
    expect(await codeOf(accounts.apiTokens.create(alice, { name }))).toBe('invalid_input')
  }
  const past = { name: 'past', expiresAt: accounts.clock() }
  expect(await codeOf(accounts.apiTokens.create(alice, past))).toBe('invalid_input')
})

test('nobody revokes or sees what another one has', async () => {
  const { id, token } = await accounts.apiTokens.create(alice, { name: 'laptop' })
  const bob = await accounts.createUser('bob')
  expect(await codeOf(accounts.apiTokens.revoke(bob, id))).toBe('not_found')
  expect(await accounts.apiTokens.list(bob)).toEqual([])
  expect(await use(token)).toBe('none')
  await accounts.apiTokens.revoke(alice, id)
  expect(await use(token)).toBe('unauthenticated')
})

test('there is an end to how many one has', async () => {
  await accounts.db.query
    .insertInto('api_token')
    .values(
      Array.from({ length: 199 }, (_, i) => ({
        account: alice,
        name: `n${i}`,
        hash: `h${i}`,
        created_at: 1,
        expires_at: null,
        last_used_at: null,
      })),
    )
    .execute()
  expect(await codeOf(accounts.apiTokens.create(alice, { name: 'last' }))).toBe('none')
  expect(await codeOf(accounts.apiTokens.create(alice, { name: 'over' }))).toBe('conflict')
})

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { GRANT_LIFETIME_MS } from './authorize.ts'
import type { Principal } from './principal.ts'
import { codeOf, createTestAccounts, type TestAccounts } from './test-accounts.ts'

let accounts: TestAccounts
let project: number
let alice: Principal

beforeEach(async () => {
  accounts = await createTestAccounts()
  project = await accounts.createProject('payments')
  const account = await accounts.createUser('alice')
  alice = { kind: 'user', account, name: 'alice', isAdmin: false }
})
afterEach(() => accounts.remove())

test('members are added, changed, listed by name, and removed', async () => {
  const { members } = accounts
  const id = alice.account ?? 0
  expect(await members.put(project, id, 'guest')).toMatchObject({ name: 'alice', role: 'guest' })
  expect(await members.put(project, id, 'admin')).toMatchObject({ account: id, role: 'admin' })
  const bob = await accounts.createUser('bob')
  await members.put(project, bob, 'developer')
  const first = await members.list(project, { limit: 1 })
  expect(first.items.map(({ name, role }) => [name, role])).toEqual([['alice', 'admin']])
  const second = await members.list(project, { limit: 1, after: first.next })
  expect(second.items.map(({ name }) => name)).toEqual(['bob'])
  expect(second.next).toBeUndefined()
  await members.remove(project, id)
  expect(await members.get(project, id)).toBeUndefined()
  expect(await codeOf(members.remove(project, id))).toBe('not_found')
  expect(await codeOf(members.put(project, 999, 'guest'))).toBe('not_found')
  expect(await codeOf(members.put(999, id, 'guest'))).toBe('not_found')
})

test('a change counts at once here and within five seconds elsewhere', async () => {
  const other = accounts.anotherProcess()
  const id = alice.account ?? 0
  await accounts.members.put(project, id, 'developer')
  const seen = async () => [
    await accounts.authorizer.roleIn(alice, project),
    await other.authorizer.roleIn(alice, project),
  ]
  expect(await seen()).toEqual(['developer', 'developer'])
  await accounts.members.put(project, id, 'guest')
  expect((await seen())[0]).toBe('guest')
  accounts.pass(GRANT_LIFETIME_MS)
  expect(await seen()).toEqual(['guest', 'guest'])
  await accounts.members.remove(project, id)
  expect((await seen())[0]).toBeUndefined()
  accounts.pass(GRANT_LIFETIME_MS)
  expect(await seen()).toEqual([undefined, undefined])
})

test('a deleted account leaves its projects', async () => {
  const id = alice.account ?? 0
  await accounts.members.put(project, id, 'admin')
  await accounts.users.remove(id)
  expect((await accounts.members.list(project, {})).items).toEqual([])
})

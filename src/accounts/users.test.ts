import { afterEach, expect, test } from 'bun:test'
import { onEachEngine } from '../store/db/test-databases.ts'
import { codeOf, createTestAccounts, PASSWORD, type TestAccounts } from './test-accounts.ts'

onEachEngine('users', (create) => {
  let accounts: TestAccounts
  afterEach(() => accounts.remove())

  test('a user is what was asked for, and nothing more', async () => {
    accounts = await createTestAccounts({}, create)
    // As a face that passes on everything it was sent would (Harbor, CVE-2019-16097).
    const sent = {
      name: 'alice',
      password: PASSWORD,
      displayName: 'Alice Ä.',
      email: 'alice@example.com',
      id: 77,
      kind: 'robot',
      version: 9,
      validAfter: 5,
    }
    const alice = await accounts.users.create(sent)
    expect(alice).toEqual({
      id: alice.id,
      name: 'alice',
      displayName: 'Alice Ä.',
      email: 'alice@example.com',
      isAdmin: false,
      disabled: false,
      expiresAt: null,
      createdAt: accounts.clock(),
      updatedAt: accounts.clock(),
      version: 1,
    })
    expect(alice.id).not.toBe(77)
    expect(await accounts.users.get(alice.id)).toEqual(alice)
    expect(await accounts.users.find('alice')).toEqual(alice)
    expect(await accounts.users.find('Alice')).toBeUndefined()
  })

  test('names and passwords that do not follow the rules are refused', async () => {
    accounts = await createTestAccounts({}, create)
    const names = [
      '',
      'A',
      'a+b',
      'a b',
      '-a',
      'a-',
      'a..b',
      'a\n',
      'ä',
      'а',
      'anonymous',
      'x'.repeat(65),
    ]
    for (const name of names) {
      expect([name, await codeOf(accounts.users.create({ name, password: PASSWORD }))]).toEqual([
        name,
        'invalid_input',
      ])
    }
    for (const password of ['', 'short1A', 'alllower1', 'ALLUPPER1', 'NoDigits']) {
      expect(await codeOf(accounts.users.create({ name: 'alice', password }))).toBe('invalid_input')
    }
    for (const email of ['no', 'a@b@c', 'a b@c', '@', `${'x'.repeat(250)}@ab.c`]) {
      const user = { name: 'alice', password: PASSWORD, email }
      expect(await codeOf(accounts.users.create(user))).toBe('invalid_input')
    }
    await accounts.users.create({ name: `a.b_c-${'9'.repeat(58)}`, password: PASSWORD })
  })

  test('a name is given once, also when two ask at once', async () => {
    accounts = await createTestAccounts({}, create)
    const other = accounts.anotherProcess()
    const codes = await Promise.all(
      [accounts, other].map((one) =>
        codeOf(one.users.create({ name: 'alice', password: PASSWORD })),
      ),
    )
    expect(codes.sort()).toEqual(['conflict', 'none'])
  })

  test('lists pages in byte order, and filters by text as it stands', async () => {
    accounts = await createTestAccounts({}, create)
    for (const name of ['b', 'a_x', 'a-y', 'a.z', 'c1']) await accounts.createUser(name)
    const first = await accounts.users.list({ limit: 3 })
    expect(first.items.map(({ name }) => name)).toEqual(['a-y', 'a.z', 'a_x'])
    const second = await accounts.users.list({ limit: 3, after: first.next })
    expect(second.items.map(({ name }) => name)).toEqual(['b', 'c1'])
    expect(second.next).toBeUndefined()
    const found = await accounts.users.list({ nameHas: 'a_' })
    expect(found.items.map(({ name }) => name)).toEqual(['a_x'])
    expect((await accounts.users.list({ limit: 5 })).next).toBeUndefined()
  })

  test('of two updates of one version one is refused', async () => {
    accounts = await createTestAccounts({}, create)
    const id = await accounts.createUser('alice')
    const other = accounts.anotherProcess()
    const codes = await Promise.all(
      [accounts, other].map((one, i) =>
        codeOf(one.users.update(id, { displayName: `name ${i}` }, 1)),
      ),
    )
    expect(codes.sort()).toEqual(['none', 'precondition_failed'])
    expect((await accounts.users.get(id))?.version).toBe(2)
    expect(await codeOf(accounts.users.update(999, { displayName: 'x' }))).toBe('not_found')
    expect(await codeOf(accounts.users.update(id, { expiresAt: accounts.clock() }))).toBe(
      'invalid_input',
    )
    expect(await codeOf(accounts.users.remove(id, 1))).toBe('precondition_failed')
  })

  test('the last administrator stays one', async () => {
    accounts = await createTestAccounts({}, create)
    const root = await accounts.createUser('root', { isAdmin: true })
    const alice = await accounts.createUser('alice')
    const changes = [
      { isAdmin: false },
      { disabled: true },
      { expiresAt: accounts.clock() + 1_000 },
    ]
    for (const change of changes) {
      expect(await codeOf(accounts.users.update(root, change))).toBe('conflict')
      expect(await codeOf(accounts.users.update(alice, change))).toBe('none')
    }
    expect(await codeOf(accounts.users.remove(root))).toBe('conflict')
    expect(await codeOf(accounts.users.remove(alice))).toBe('none')
  })

  test('two administrators who take each other’s rights at once leave one', async () => {
    accounts = await createTestAccounts({}, create)
    const one = await accounts.createUser('one', { isAdmin: true })
    const two = await accounts.createUser('two', { isAdmin: true })
    const other = accounts.anotherProcess()
    const codes = await Promise.all([
      codeOf(accounts.users.update(one, { isAdmin: false })),
      codeOf(other.users.update(two, { disabled: true })),
    ])
    expect(codes.sort()).toEqual(['conflict', 'none'])
  })
})

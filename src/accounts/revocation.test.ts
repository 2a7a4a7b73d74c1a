import { afterEach, expect, test } from 'bun:test'
import { onEachEngine } from '../store/db/test-databases.ts'
import type { Accounts } from './accounts.ts'
import { GRANT_LIFETIME_MS } from './authorize.ts'
import {
  ADDRESS,
  basic,
  codeOf,
  createTestAccounts,
  PASSWORD,
  SERVICE,
  type TestAccounts,
} from './test-accounts.ts'

const NEXT_PASSWORD = 'Another-horse-2'

onEachEngine('revocation', (create) => {
  let accounts: TestAccounts
  afterEach(() => accounts.remove())

  const as = (process: Accounts, header: string) =>
    codeOf(process.authenticator.authenticate(header, ADDRESS))

  async function registryToken(header: string): Promise<string> {
    const principal = await accounts.authenticator.authenticate(header, ADDRESS)
    const { token } = await accounts.registryTokens.issue(principal, [], SERVICE)
    return `Bearer ${token}`
  }

  /** Everything was good in both processes; within five seconds it is in neither. */
  async function voids(headers: string[], revoke: () => Promise<unknown>): Promise<void> {
    const other = accounts.anotherProcess()
    for (const header of headers) {
      expect(await as(accounts, header)).toBe('none')
      expect(await as(other, header)).toBe('none')
    }
    await revoke()
    for (const header of headers) expect(await as(accounts, header)).toBe('unauthenticated')
    accounts.pass(GRANT_LIFETIME_MS)
    for (const header of headers) expect(await as(other, header)).toBe('unauthenticated')
  }

  test('a changed password voids the old one, registry and refresh tokens, not API tokens', async () => {
    accounts = await createTestAccounts({}, create)
    const id = await accounts.createUser('alice')
    const password = basic('alice', PASSWORD)
    const { token } = await accounts.apiTokens.create(id, { name: 'ci' })
    const principal = await accounts.authenticator.authenticate(password, ADDRESS)
    const refresh = (await accounts.refreshTokens.issue(principal, SERVICE)) ?? ''
    expect((await accounts.refreshTokens.use(refresh, SERVICE)).name).toBe('alice')
    await voids([password, await registryToken(password)], () =>
      accounts.users.setPassword(id, NEXT_PASSWORD),
    )
    expect(await codeOf(accounts.refreshTokens.use(refresh, SERVICE))).toBe('unauthenticated')
    // What a process proved before it knew brings no new token either.
    expect(await codeOf(accounts.refreshTokens.issue(principal, SERVICE))).toBe('unauthenticated')
    const late = await accounts.registryTokens.issue(principal, [], SERVICE)
    expect(await as(accounts, `Bearer ${late.token}`)).toBe('unauthenticated')
    expect(await as(accounts, `Bearer ${token}`)).toBe('none')
    expect(await as(accounts, basic('alice', NEXT_PASSWORD))).toBe('none')
  })

  test('a token of the new password is good at once, in processes that do not know it yet', async () => {
    accounts = await createTestAccounts({}, create)
    const id = await accounts.createUser('alice')
    const other = accounts.anotherProcess()
    expect(await as(other, await registryToken(basic('alice', PASSWORD)))).toBe('none')
    // In the same millisecond as the account was made.
    await accounts.users.setPassword(id, NEXT_PASSWORD)
    expect(await as(other, await registryToken(basic('alice', NEXT_PASSWORD)))).toBe('none')
  })

  test('API tokens go with the password when asked', async () => {
    accounts = await createTestAccounts({}, create)
    const id = await accounts.createUser('alice')
    const { token } = await accounts.apiTokens.create(id, { name: 'ci' })
    await voids([`Bearer ${token}`, basic('alice', token)], () =>
      accounts.users.setPassword(id, NEXT_PASSWORD, { revokeApiTokens: true }),
    )
  })

  test('a disabled account is out; enabled again, its old registry tokens stay void', async () => {
    accounts = await createTestAccounts({}, create)
    const id = await accounts.createUser('alice')
    const password = basic('alice', PASSWORD)
    const { token } = await accounts.apiTokens.create(id, { name: 'ci' })
    const registry = await registryToken(password)
    await voids([password, `Bearer ${token}`, registry], () =>
      accounts.users.update(id, { disabled: true }),
    )
    await accounts.users.update(id, { disabled: false })
    expect(await as(accounts, registry)).toBe('unauthenticated')
    expect(await as(accounts, password)).toBe('none')
    expect(await as(accounts, `Bearer ${token}`)).toBe('none')
  })

  test('a deleted account is out, and a new one of its name inherits nothing', async () => {
    accounts = await createTestAccounts({}, create)
    const id = await accounts.createUser('alice')
    const password = basic('alice', PASSWORD)
    const { token } = await accounts.apiTokens.create(id, { name: 'ci' })
    const registry = await registryToken(password)
    await voids([password, `Bearer ${token}`, registry], () => accounts.users.remove(id))
    await accounts.users.create({ name: 'alice', password: NEXT_PASSWORD })
    expect(await as(accounts, registry)).toBe('unauthenticated')
    expect(await as(accounts, `Bearer ${token}`)).toBe('unauthenticated')
  })

  test('a revoked API token takes the registry tokens with it that it was used for', async () => {
    accounts = await createTestAccounts({}, create)
    const owner = await accounts.createUser('alice')
    const { token, id } = await accounts.apiTokens.create(owner, { name: 'ci' })
    const registry = await registryToken(`Bearer ${token}`)
    await voids([`Bearer ${token}`, registry], () => accounts.apiTokens.revoke(owner, id))
    expect(await as(accounts, basic('alice', PASSWORD))).toBe('none')
  })

  test('a deleted robot, a rotated secret, a deleted project', async () => {
    accounts = await createTestAccounts({}, create)
    const project = await accounts.createProject('payments')
    const roles = [{ project, role: 'developer' }] as const
    const robots = await Promise.all(
      ['one', 'two', 'three'].map(async (name) => {
        const { robot, secret } = await accounts.robots.create(project, { name, roles })
        const header = basic(robot.name, secret)
        return { id: robot.id, headers: [header, await registryToken(header)] }
      }),
    )
    const [one, two, three] = robots
    if (!one || !two || !three) throw new Error('unreachable')
    await voids(one.headers, () => accounts.robots.remove(project, one.id))
    await voids(two.headers, () => accounts.robots.rotate(project, two.id))
    await accounts.trashProject(project)
    accounts.pass(GRANT_LIFETIME_MS)
    for (const header of three.headers) expect(await as(accounts, header)).toBe('unauthenticated')
  })

  test('an account that expires is out at that time', async () => {
    accounts = await createTestAccounts({}, create)
    const id = await accounts.createUser('alice')
    await accounts.users.update(id, { expiresAt: accounts.clock() + 2_000 })
    const headers = [basic('alice', PASSWORD), await registryToken(basic('alice', PASSWORD))]
    for (const header of headers) expect(await as(accounts, header)).toBe('none')
    accounts.pass(2_000)
    for (const header of headers) expect(await as(accounts, header)).toBe('unauthenticated')
  })

  test('who is no administrator any more has no rights of one', async () => {
    accounts = await createTestAccounts({}, create)
    const root = await accounts.createUser('root', { isAdmin: true })
    await accounts.createUser('boss', { isAdmin: true })
    const other = accounts.anotherProcess()
    const token = await registryToken(basic('root', PASSWORD))
    const isAdmin = async () => (await other.authenticator.authenticate(token, ADDRESS)).isAdmin
    expect(await isAdmin()).toBe(true)
    await accounts.users.update(root, { isAdmin: false })
    accounts.pass(GRANT_LIFETIME_MS)
    expect(await isAdmin()).toBe(false)
  })

  test('a refresh token that races with a change of the password does not survive it', async () => {
    accounts = await createTestAccounts({}, create)
    const id = await accounts.createUser('alice')
    const other = accounts.anotherProcess()
    const principal = await accounts.authenticator.authenticate(basic('alice', PASSWORD), ADDRESS)
    const issued: Promise<string | undefined>[] = []
    const change = other.users.setPassword(id, NEXT_PASSWORD)
    for (let i = 0; i < 25; i++) {
      issued.push(accounts.refreshTokens.issue(principal, SERVICE).catch(() => undefined))
      await Bun.sleep(5)
    }
    await change
    const tokens = (await Promise.all(issued)).filter((token) => token !== undefined)
    expect(tokens.length).toBeGreaterThan(0)
    for (const token of tokens) {
      expect(await codeOf(accounts.refreshTokens.use(token, SERVICE))).toBe('unauthenticated')
    }
  })
})

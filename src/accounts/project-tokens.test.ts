import { afterEach, expect, test } from 'bun:test'
import { onEachEngine } from '../store/db/test-databases.ts'
import { GRANT_LIFETIME_MS } from './authorize.ts'
import {
  ADDRESS,
  codeOf,
  createTestAccounts,
  PASSWORD,
  type TestAccounts,
} from './test-accounts.ts'

const DAY_MS = 86_400_000

onEachEngine('tokens of projects', (create) => {
  let accounts: TestAccounts
  let alice: number
  afterEach(() => accounts.remove())

  async function start() {
    accounts = await createTestAccounts({}, create)
    alice = await accounts.createUser('alice')
    return accounts.authenticator.signIn('alice', PASSWORD, ADDRESS)
  }
  const use = (token: string, process: Pick<TestAccounts, 'projectTokens'> = accounts) =>
    codeOf(process.projectTokens.use(token))

  test('a token stands for its account and names its project, for a day', async () => {
    const principal = await start()
    const { token, issuedAt, expiresAt } = await accounts.projectTokens.issue(principal, 7)
    expect(token).toMatch(/^epp_[\w-]{43}$/)
    expect([issuedAt, expiresAt]).toEqual([accounts.clock(), accounts.clock() + DAY_MS])
    expect(await accounts.projectTokens.use(token)).toMatchObject({
      project: 7,
      principal: {
        kind: 'user',
        account: alice,
        name: 'alice',
        login: { method: 'project-token' },
      },
    })
    expect(await accounts.projectTokens.ownerOf(token)).toBe(alice)
    const rows = await accounts.db.query.selectFrom('project_token').selectAll().execute()
    expect(JSON.stringify(rows)).not.toContain(token.slice(4))
    expect(await use(`${token}x`)).toBe('unauthenticated')
    accounts.pass(DAY_MS - 1)
    expect(await use(token)).toBe('none')
    accounts.pass(1)
    expect(await use(token)).toBe('unauthenticated')
    expect(await accounts.projectTokens.sweep()).toBe(1)
    expect(await accounts.projectTokens.ownerOf(token)).toBeUndefined()
  })

  test('it ends with the password, with the account, and when revoked', async () => {
    await start()
    const other = accounts.anotherProcess()
    const revocations: [string, (token: string) => Promise<unknown>][] = [
      ['revoked', (token) => accounts.projectTokens.revoke(token)],
      ['password', () => accounts.users.setPassword(alice, PASSWORD)],
      ['disabled', () => accounts.users.update(alice, { disabled: true })],
    ]
    for (const [what, revoke] of revocations) {
      const principal = await accounts.authenticator.signIn('alice', PASSWORD, ADDRESS)
      const { token } = await accounts.projectTokens.issue(principal, null)
      expect([what, await use(token), await use(token, other)]).toEqual([what, 'none', 'none'])
      await revoke(token)
      expect([what, await use(token)]).toEqual([what, 'unauthenticated'])
      accounts.pass(GRANT_LIFETIME_MS)
      expect([what, await use(token, other)]).toEqual([what, 'unauthenticated'])
    }
    await accounts.users.update(alice, { disabled: false })
    const rows = await accounts.db.query.selectFrom('project_token').selectAll().execute()
    expect(rows).toEqual([])
  })

  test('what was proven before the password changed brings no new token', async () => {
    const principal = await start()
    await accounts.users.setPassword(alice, 'Another-horse-2')
    expect(await codeOf(accounts.projectTokens.issue(principal, null))).toBe('unauthenticated')
  })

  test('it ends with the API token that it was fetched with, and expires with it', async () => {
    await start()
    const expiresAt = accounts.clock() + 60_000
    const { id, token: apiToken } = await accounts.apiTokens.create(alice, {
      name: 'ci',
      expiresAt,
    })
    const principal = await accounts.authenticator.signIn('alice', apiToken, ADDRESS)
    const issued = await accounts.projectTokens.issue(principal, null)
    expect(issued.expiresAt).toBe(expiresAt)
    expect(await use(issued.token)).toBe('none')
    await accounts.apiTokens.revoke(alice, id)
    expect(await use(issued.token)).toBe('unauthenticated')
  })

  test('it ends with the secret of a robot', async () => {
    await start()
    const project = await accounts.createProject('payments')
    const { robot, secret } = await accounts.robots.create(project, {
      name: 'ci',
      roles: [{ project, role: 'developer' }],
    })
    const principal = await accounts.authenticator.signIn(robot.name, secret, ADDRESS)
    const { token } = await accounts.projectTokens.issue(principal, project)
    expect(await use(token)).toBe('none')
    await accounts.robots.rotate(project, robot.id)
    expect(await use(token)).toBe('unauthenticated')
  })
})

import { afterEach, expect, test } from 'bun:test'
import { onEachEngine } from '../store/db/test-databases.ts'
import type { RobotRole } from './robot-rows.ts'
import { ADDRESS, basic, codeOf, createTestAccounts, type TestAccounts } from './test-accounts.ts'

onEachEngine('robots', (create) => {
  let accounts: TestAccounts
  afterEach(() => accounts.remove())

  const signIn = (name: string, secret: string) =>
    codeOf(accounts.authenticator.authenticate(basic(name, secret), ADDRESS))

  test('of a project signs in with the secret shown once, and has its role there', async () => {
    accounts = await createTestAccounts({}, create)
    const project = await accounts.createProject('payments')
    const { robot, secret } = await accounts.robots.create(project, {
      name: 'ci',
      roles: [{ project, role: 'developer' }],
      description: 'builds',
    })
    expect(robot).toMatchObject({
      name: 'payments+ci',
      project,
      description: 'builds',
      roles: [{ project, role: 'developer' }],
    })
    expect(secret).toMatch(/^epr_[A-Za-z0-9_-]{43}$/)
    const stored = await accounts.db.query.selectFrom('credential').select('hash').execute()
    expect(JSON.stringify(stored)).not.toContain(secret)
    const principal = await accounts.authenticator.authenticate(basic(robot.name, secret), ADDRESS)
    expect(await accounts.authorizer.roleIn(principal, project)).toBe('developer')
    const mayCreate = await accounts.authorizer.authorize(principal, 'project:create', {
      kind: 'system',
    })
    expect(mayCreate.allowed).toBe(false)
  })

  test('of the system has roles in several projects, or in none', async () => {
    accounts = await createTestAccounts({}, create)
    const a = await accounts.createProject('a')
    const b = await accounts.createProject('b')
    const { robot, secret } = await accounts.robots.create(null, {
      name: 'mirror',
      roles: [
        { project: a, role: 'guest' },
        { project: b, role: 'maintainer' },
      ],
    })
    expect(robot.name).toBe('system+mirror')
    expect(await signIn('system+mirror', secret)).toBe('none')
    const changed = await accounts.robots.update(null, robot.id, { roles: [] })
    expect(changed.roles).toEqual([])
    expect(changed.version).toBe(2)
  })

  test('is never an administrator, and never of a foreign project', async () => {
    accounts = await createTestAccounts({}, create)
    const project = await accounts.createProject('payments')
    const foreign = await accounts.createProject('foreign')
    const admin = 'admin' as RobotRole
    const wrong: [number | null, { project: number; role: RobotRole }[], string][] = [
      [project, [{ project, role: admin }], 'invalid_input'],
      [project, [{ project: foreign, role: 'guest' }], 'invalid_input'],
      [project, [], 'invalid_input'],
      [
        null,
        [
          { project, role: 'guest' },
          { project, role: 'developer' },
        ],
        'invalid_input',
      ],
      [null, [{ project, role: admin }], 'invalid_input'],
      [null, [{ project: 999, role: 'guest' }], 'not_found'],
      [999, [{ project: 999, role: 'guest' }], 'not_found'],
    ]
    for (const [owner, roles, code] of wrong) {
      expect(await codeOf(accounts.robots.create(owner, { name: 'ci', roles }))).toBe(code)
    }
    const { robot } = await accounts.robots.create(project, {
      name: 'ci',
      roles: [{ project, role: 'guest' }],
    })
    expect(await codeOf(accounts.members.put(project, robot.id, 'admin'))).toBe('denied')
    expect(await codeOf(accounts.members.put(foreign, robot.id, 'guest'))).toBe('denied')
    expect(await codeOf(accounts.apiTokens.create(robot.id, { name: 'x' }))).toBe('denied')
    expect(await codeOf(accounts.users.update(robot.id, { isAdmin: true }))).toBe('not_found')
    expect(await codeOf(accounts.users.setPassword(robot.id, 'Correct-horse-1'))).toBe('not_found')
  })

  test('names are safe in a shell, and given once', async () => {
    accounts = await createTestAccounts({}, create)
    const project = await accounts.createProject('payments')
    const roles = [{ project, role: 'guest' }] as const
    for (const name of ['', '$ci', 'a+b', 'CI', 'a b', 'a/b', '../x', 'a\u202eb', 'x'.repeat(65)]) {
      expect(await codeOf(accounts.robots.create(project, { name, roles }))).toBe('invalid_input')
    }
    const other = accounts.anotherProcess()
    const codes = await Promise.all(
      [accounts, other].map((one) => codeOf(one.robots.create(project, { name: 'ci', roles }))),
    )
    expect(codes.sort()).toEqual(['conflict', 'none'])
  })

  test('is found under its own owner only', async () => {
    accounts = await createTestAccounts({}, create)
    const project = await accounts.createProject('payments')
    const foreign = await accounts.createProject('foreign')
    const { robot, secret } = await accounts.robots.create(project, {
      name: 'ci',
      roles: [{ project, role: 'guest' }],
    })
    const { robots } = accounts
    for (const owner of [foreign, null]) {
      expect(await robots.get(owner, robot.id)).toBeUndefined()
      expect((await robots.list(owner, {})).items).toEqual([])
      expect(await codeOf(robots.update(owner, robot.id, { disabled: true }))).toBe('not_found')
      expect(await codeOf(robots.rotate(owner, robot.id))).toBe('not_found')
      expect(await codeOf(robots.remove(owner, robot.id))).toBe('not_found')
    }
    expect(await signIn('payments+ci', secret)).toBe('none')
    expect((await robots.list(project, {})).items).toEqual([robot])
    expect(await codeOf(robots.update(project, robot.id, { disabled: true }, 7))).toBe(
      'precondition_failed',
    )
  })

  test('rotation with overlap: both secrets are good, then only the new one', async () => {
    accounts = await createTestAccounts({}, create)
    const { robot, secret: first } = await accounts.robots.create(null, { name: 'ci', roles: [] })
    const { name, id } = robot
    const { secret: second, oldValidUntil } = await accounts.robots.rotate(null, id, {
      overlapSeconds: 60,
    })
    expect(oldValidUntil).toBe(accounts.clock() + 60_000)
    expect([await signIn(name, first), await signIn(name, second)]).toEqual(['none', 'none'])
    const principal = await accounts.authenticator.signIn(name, first, ADDRESS)
    expect(principal.login?.expiresAt).toBe(oldValidUntil)
    accounts.pass(60_000)
    expect(await signIn(name, first)).toBe('unauthenticated')
    expect(await signIn(name, second)).toBe('none')
    const { secret: third } = await accounts.robots.rotate(null, id, { overlapSeconds: 60 })
    const { secret: fourth } = await accounts.robots.rotate(null, id, { overlapSeconds: 60 })
    expect(await signIn(name, second)).toBe('unauthenticated')
    expect([await signIn(name, third), await signIn(name, fourth)]).toEqual(['none', 'none'])
    expect(await codeOf(accounts.robots.rotate(null, id, { overlapSeconds: -1 }))).toBe(
      'invalid_input',
    )
  })

  test('two rotations at once leave at most two good secrets', async () => {
    accounts = await createTestAccounts({}, create)
    const { robot } = await accounts.robots.create(null, { name: 'ci', roles: [] })
    const other = accounts.anotherProcess()
    const options = { overlapSeconds: 60 }
    await Promise.all([
      accounts.robots.rotate(null, robot.id, options),
      other.robots.rotate(null, robot.id, options),
    ])
    const rows = await accounts.db.query.selectFrom('credential').select('expires_at').execute()
    expect(rows.length).toBe(2)
    expect(rows.filter((row) => row.expires_at === null).length).toBe(1)
  })

  test('a new project of an old name gets its robots’ names, not their rights', async () => {
    accounts = await createTestAccounts({}, create)
    const old = await accounts.createProject('payments')
    const { secret } = await accounts.robots.create(old, {
      name: 'ci',
      roles: [{ project: old, role: 'maintainer' }],
    })
    await accounts.trashProject(old)
    const project = await accounts.createProject('payments')
    expect(await signIn('payments+ci', secret)).toBe('unauthenticated')
    const created = await accounts.robots.create(project, {
      name: 'ci',
      roles: [{ project, role: 'guest' }],
    })
    expect(await signIn('payments+ci', created.secret)).toBe('none')
    expect(await signIn('payments+ci', secret)).toBe('unauthenticated')
  })
})

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { Role } from '../store/db/schema.ts'
import type { Decision, ProjectRef, Resource } from './authorize.ts'
import { type Action, PERMISSIONS } from './permissions.ts'
import { anonymous, type GrantedScope, type Principal } from './principal.ts'
import { codeOf, createTestAccounts, type TestAccounts } from './test-accounts.ts'

let accounts: TestAccounts
let secret: ProjectRef
let open: ProjectRef

beforeEach(async () => {
  accounts = await createTestAccounts()
  secret = { id: await accounts.createProject('secret'), name: 'secret', isPublic: false }
  open = {
    id: await accounts.createProject('open', { isPublic: true }),
    name: 'open',
    isPublic: true,
  }
})
afterEach(() => accounts.remove())

const admin: Principal = { kind: 'user', account: 999, name: 'root', isAdmin: true }
const actions = Object.keys(PERMISSIONS) as Action[]

async function user(name: string, role?: Role): Promise<Principal> {
  const account = await accounts.createUser(name)
  if (role) {
    await accounts.members.put(secret.id, account, role)
    await accounts.members.put(open.id, account, role)
  }
  return { kind: 'user', account, name, isAdmin: false }
}

function resourceOf(action: Action, project: ProjectRef | undefined): Resource {
  if (/^(repository|tag):/.test(action)) {
    return { kind: 'repository', repository: `${project?.name ?? 'missing'}/app`, project }
  }
  return /^(project:create|catalog|account|system)/.test(action) || !project
    ? { kind: 'system' }
    : { kind: 'project', project }
}

const decide = (principal: Principal, action: Action, project?: ProjectRef): Promise<Decision> =>
  accounts.authorizer.authorize(principal, action, resourceOf(action, project))

async function allowed(principal: Principal, project: ProjectRef): Promise<Action[]> {
  const decisions = await Promise.all(actions.map((action) => decide(principal, action, project)))
  return actions.filter((_, i) => decisions[i]?.allowed)
}

/** Written out by hand: this is what the roles mean, whatever the table says. */
const PUBLIC: Action[] = ['repository:pull', 'project:read']
const SIGNED_IN: Action[] = ['catalog:read', 'project:create', 'registry:read']
const GUEST: Action[] = [...PUBLIC, 'member:read', 'project-registry:read', ...SIGNED_IN]
const DEVELOPER: Action[] = [...GUEST, 'repository:push', 'registry:use']
const MAINTAINER: Action[] = [
  ...DEVELOPER,
  'repository:delete',
  'repository:update',
  'tag:protect',
  'project-registry:manage',
]
const PROJECT_ADMIN: Action[] = [
  ...MAINTAINER,
  'project:update',
  'project:delete',
  'member:manage',
  'robot:manage',
]

describe('what each may do', () => {
  test('by role, in a private and in a public project', async () => {
    const cases: [Principal, Action[], Action[]][] = [
      [anonymous, [], PUBLIC],
      [await user('stranger'), SIGNED_IN, [...PUBLIC, ...SIGNED_IN]],
      [await user('guest', 'guest'), GUEST, GUEST],
      [await user('dev', 'developer'), DEVELOPER, DEVELOPER],
      [await user('main', 'maintainer'), MAINTAINER, MAINTAINER],
      [await user('boss', 'admin'), PROJECT_ADMIN, PROJECT_ADMIN],
      [admin, actions, actions],
    ]
    for (const [principal, inSecret, inOpen] of cases) {
      const { name } = principal
      expect([name, (await allowed(principal, secret)).sort()]).toEqual([name, inSecret.sort()])
      expect([name, (await allowed(principal, open)).sort()]).toEqual([name, inOpen.sort()])
    }
  })

  test('a robot creates no project', async () => {
    const roles = [{ project: secret.id, role: 'maintainer' }] as const
    const { robot } = await accounts.robots.create(secret.id, { name: 'ci', roles })
    const principal: Principal = {
      kind: 'robot',
      account: robot.id,
      name: robot.name,
      isAdmin: false,
    }
    const expected = MAINTAINER.filter((action) => action !== 'project:create')
    expect((await allowed(principal, secret)).sort()).toEqual(expected.sort())
    expect((await allowed(principal, open)).sort()).toEqual(
      (['catalog:read', 'registry:read', ...PUBLIC] satisfies Action[]).sort(),
    )
  })

  test('with anonymous writes everybody pushes to public projects, and to no other', async () => {
    accounts = await accountsWith({ anonymousWrite: true })
    const creates: Action[] = ['catalog:read', 'project:create']
    const writes: Action[] = ['repository:push', 'repository:delete', ...creates]
    expect((await allowed(anonymous, open)).sort()).toEqual([...PUBLIC, ...writes].sort())
    expect((await allowed(anonymous, secret)).sort()).toEqual([...creates].sort())
  })

  async function accountsWith(change: { anonymousWrite: boolean }): Promise<TestAccounts> {
    const { authorizer } = accounts.anotherProcess({
      authorize: { projectCreators: 'all', ...change },
    })
    return { ...accounts, authorizer }
  }
})

describe('a refusal', () => {
  test('is unauthenticated for nobody, denied for somebody', async () => {
    const stranger = await user('stranger')
    expect(await decide(anonymous, 'repository:pull', secret)).toMatchObject({
      code: 'unauthenticated',
    })
    expect(await decide(stranger, 'repository:pull', secret)).toMatchObject({ code: 'denied' })
    expect(
      await codeOf(accounts.authorizer.demand(stranger, 'account:manage', { kind: 'system' })),
    ).toBe('denied')
  })

  test('names what was refused in a sentence', async () => {
    const sentence = async (action: Action) => {
      const decision = await decide(anonymous, action, secret)
      return decision.allowed || decision.reason
    }
    expect(await sentence('repository:pull')).toBe('sign in to pull from the project')
    expect(await sentence('project:quota')).toBe("sign in to set the project's quota")
    expect(await sentence('repository:update')).toBe("sign in to change the project's repositories")
    expect(await sentence('account:manage')).toBe('sign in to manage accounts')
  })

  const ask = (principal: Principal, action: Action, project: ProjectRef | undefined) =>
    accounts.authorizer.authorize(principal, action, {
      kind: 'repository',
      repository: 'secret/app',
      project,
    })

  test('is the same for a project that exists and one that does not', async () => {
    const robot: Principal = { kind: 'robot', account: 998, name: 'system+ci', isAdmin: false }
    for (const principal of [anonymous, robot]) {
      for (const action of ['repository:pull', 'repository:push', 'repository:delete'] as const) {
        const decision = await ask(principal, action, undefined)
        expect(decision.allowed).toBe(false)
        expect(decision).toEqual(await ask(principal, action, secret))
      }
    }
  })

  test('spares whoever could create the project: he finds out by trying anyway', async () => {
    const stranger = await user('stranger')
    expect(await ask(stranger, 'repository:push', undefined)).toEqual({ allowed: true })
    expect(await ask(stranger, 'repository:pull', undefined)).toEqual({ allowed: true })
    expect(await ask(stranger, 'repository:delete', undefined)).toMatchObject({ code: 'denied' })
  })

  test('says what, why and who decides', async () => {
    const guest = await user('gina', 'guest')
    const decision = await decide(guest, 'repository:push', secret)
    expect(decision).toMatchObject({
      allowed: false,
      code: 'denied',
      reason:
        'project "secret" does not exist or user "gina" is only guest of it: to push to it takes ' +
        'one of the roles developer, maintainer, admin; an administrator of the project can give it',
    })
  })
})

describe('the scope of a token', () => {
  const scoped = (principal: Principal, ...scope: GrantedScope[]): Principal => ({
    ...principal,
    scope,
  })

  test('narrows, also for a system administrator, and never widens', async () => {
    const pull = {
      type: 'repository',
      name: 'secret/app',
      actions: ['pull'],
      project: secret.id,
    } as const
    const all = { ...pull, actions: ['pull', 'push', 'delete'] }
    for (const principal of [admin, await user('boss', 'admin')]) {
      const narrow = scoped(principal, pull)
      expect(await decide(narrow, 'repository:pull', secret)).toEqual({ allowed: true })
      const others = [
        'repository:push',
        'repository:update',
        'project:delete',
        'member:manage',
        'robot:manage',
        'catalog:read',
        'tag:protect',
      ] as const
      for (const action of others) {
        expect(await decide(narrow, action, secret)).toMatchObject({ code: 'insufficient_scope' })
      }
      expect(await decide(scoped(principal), 'repository:pull', open)).toMatchObject({
        code: 'insufficient_scope',
      })
    }
    const guest = scoped(await user('gina', 'guest'), all)
    expect(await decide(guest, 'repository:push', secret)).toMatchObject({ code: 'denied' })
    expect(await decide(guest, 'repository:pull', secret)).toEqual({ allowed: true })
  })

  test('is for the project of its time, not for a new one of the same name', async () => {
    const scope = { type: 'repository', name: 'secret/app', actions: ['pull'] } as const
    const old = scoped(admin, { ...scope, project: secret.id + 100 })
    expect(await decide(old, 'repository:pull', secret)).toMatchObject({
      code: 'insufficient_scope',
    })
    // Issued while there was none: the pusher's own, made by the push.
    expect(await decide(scoped(admin, scope), 'repository:pull', secret)).toEqual({ allowed: true })
  })

  test('of the catalog is for the catalog', async () => {
    const catalog = scoped(admin, { type: 'registry', name: 'catalog', actions: ['*'] })
    expect(await decide(catalog, 'catalog:read')).toEqual({ allowed: true })
    expect(await decide(catalog, 'repository:pull', open)).toMatchObject({
      code: 'insufficient_scope',
    })
  })
})

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { ProjectRef } from '../../accounts/authorize.ts'
import { anonymous, type Principal } from '../../accounts/principal.ts'
import { createTestAccounts, type TestAccounts } from '../../accounts/test-accounts.ts'
import type { Role } from '../../store/db/schema.ts'
import { createGrant, type Grant } from './grants.ts'

let accounts: TestAccounts
let projects: Map<string, ProjectRef>
let grant: Grant

beforeEach(async () => {
  accounts = await createTestAccounts()
  projects = new Map()
  for (const [name, isPublic] of [
    ['library', true],
    ['payments', false],
  ] as const) {
    projects.set(name, { id: await accounts.createProject(name, { isPublic }), name, isPublic })
  }
  grant = createGrant({
    authorizer: accounts.authorizer,
    findProject: async (name) => projects.get(name),
  })
})
afterEach(() => accounts.remove())

const idOf = (project: string) => projects.get(project)?.id ?? 0

async function user(name: string, role?: Role): Promise<Principal> {
  const account = await accounts.createUser(name)
  if (role) await accounts.members.put(idOf('payments'), account, role)
  return { kind: 'user', account, name, isAdmin: false }
}

const admin: Principal = { kind: 'user', account: 999, name: 'root', isAdmin: true }

const granted = async (principal: Principal, name: string, grants = grant) =>
  (await grants(principal, { type: 'repository', name, actions: ['pull', 'push', 'delete'] }))
    ?.actions ?? []

describe('of a repository', () => {
  test('everybody gets what the role allows', async () => {
    const all = ['pull', 'push', 'delete']
    expect(await granted(anonymous, 'payments/api')).toEqual([])
    expect(await granted(await user('stranger'), 'payments/api')).toEqual([])
    expect(await granted(await user('guest', 'guest'), 'payments/api')).toEqual(['pull'])
    expect(await granted(await user('dev', 'developer'), 'payments/api')).toEqual(['pull', 'push'])
    expect(await granted(await user('main', 'maintainer'), 'payments/api')).toEqual(all)
    expect(await granted(await user('boss', 'admin'), 'payments/api')).toEqual(all)
    expect(await granted(admin, 'payments/api')).toEqual(all)
  })

  test('only what was asked, and a public one for everybody', async () => {
    expect(await granted(anonymous, 'library/hello')).toEqual(['pull'])
    const asked = { type: 'repository', name: 'payments/api', actions: ['push'] } as const
    expect((await grant(admin, asked))?.actions).toEqual(['push'])
  })

  test('goes by its canonical name and the id of its project', async () => {
    const asked = { type: 'repository', name: 'hello', actions: ['pull'] } as const
    expect(await grant(anonymous, asked)).toEqual({
      type: 'repository',
      name: 'library/hello',
      actions: ['pull'],
      project: idOf('library'),
    })
  })

  test('of a project to be: whoever may create it, may push and pull', async () => {
    const alice = await user('alice')
    const robot: Principal = { kind: 'robot', account: 5, name: 'payments+ci', isAdmin: false }
    const asked = { type: 'repository', name: 'new/app', actions: ['pull', 'push'] } as const
    expect(await grant(alice, asked)).toEqual({ ...asked, actions: ['pull', 'push'] })
    expect(await granted(alice, 'new/app')).toEqual(['pull', 'push'])
    expect(await granted(robot, 'new/app')).toEqual([])
    expect(await granted(anonymous, 'new/app')).toEqual([])
    const { authorizer } = accounts.anotherProcess({
      authorize: { anonymousWrite: false, projectCreators: 'admins' },
    })
    const strict = createGrant({ authorizer, findProject: async () => undefined })
    expect(await granted(alice, 'new/app', strict)).toEqual([])
    expect(await granted(admin, 'new/app', strict)).toEqual(['pull', 'push', 'delete'])
  })

  test('whose name is none is granted to nobody', async () => {
    const names = [
      '*',
      'payments/*',
      'Payments/api',
      'payments/../x',
      'payments/',
      '/',
      'a/b:pull\nc',
      '',
      'payments/api\u0000',
      'host:x/payments/api',
    ]
    for (const name of names) expect([name, await granted(admin, name)]).toEqual([name, []])
  })
})

describe('of the catalog', () => {
  const catalog = { type: 'registry', name: 'catalog', actions: ['*'] } as const

  test('everybody who signed in', async () => {
    expect(await grant(await user('alice'), catalog)).toEqual(catalog)
    expect(await grant(anonymous, catalog)).toBeUndefined()
    expect(await grant(admin, { ...catalog, name: 'other' })).toBeUndefined()
  })
})

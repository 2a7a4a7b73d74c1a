import { afterEach, beforeEach, expect, test } from 'bun:test'
import { codeOf } from '../../accounts/test-accounts.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { BY_ADMIN, createTestRegistries, type TestRegistries } from './test-registries.ts'
import type { Use } from './uses.ts'

const A_USE: Use = {
  kind: 'transfer',
  id: '7',
  what: 'transfer 7',
  project: null,
  purpose: null,
  environment: null,
  lastUsedAt: null,
  outdated: false,
}

onEachEngine('who may and does use registries', (create) => {
  let t: TestRegistries
  beforeEach(async () => {
    t = await createTestRegistries(create)
  })
  afterEach(() => t.remove())

  test('names are unique where somebody could mean both', async () => {
    const p = await t.accounts.createProject('p')
    const q = await t.accounts.createProject('q')
    await t.add('in-p', { name: 'one', projects: [p] })
    expect(await codeOf(t.add('x', { name: 'one', projects: [p] }))).toBe('conflict')
    expect(await codeOf(t.add('x', { name: 'one', projects: 'all' }))).toBe('conflict')
    await t.add('in-q', { name: 'one', projects: [q] })
    await t.add('in-p-too', { name: 'one', projects: [p], enterpriseProjectId: 'e' })
    const moving = await t.add('moving', { projects: [q] })
    const renamed = t.registries.update(moving.id, { name: 'one' }, BY_ADMIN)
    expect(await codeOf(renamed)).toBe('conflict')
    await t.registries.update(moving.id, { name: 'Moving' }, BY_ADMIN)

    // Records without a name get one.
    const unnamed = { name: undefined, address: 'https://h.example.com:8443', namespace: 'n' }
    const names = [await t.add('x', unnamed), await t.add('x', unnamed)].map(({ name }) => name)
    expect(names).toEqual(['h.example.com:8443/n', 'h.example.com:8443/n-2'])
  })

  test('a registry that is used is not deleted, and says by whom', async () => {
    const { id } = await t.add('one')
    const payments = await t.accounts.createProject('payments')
    const consumption = { registry: id, project: payments, purpose: 'deploy', account: null }
    await t.registries.recordUse({ ...consumption, environment: 'east' })
    const at = t.accounts.clock()
    t.accounts.pass(1_000)
    await t.registries.recordUse({ ...consumption, environment: 'east' })
    t.uses.set(id, [A_USE])
    expect(await t.registries.uses(id)).toEqual([
      {
        kind: 'consumer',
        id: '1',
        what: 'project payments: deploy in east',
        project: 'payments',
        purpose: 'deploy',
        environment: 'east',
        lastUsedAt: at + 1_000,
        outdated: false,
      },
      A_USE,
    ])
    const refused = t.registries.remove(id, {})
    await expect(refused).rejects.toThrow(
      'registry "one" cannot be deleted, it is being used by project payments: deploy in east; transfer 7',
    )
    expect(await codeOf(refused)).toBe('in_use')

    // New keys have to be fetched by everybody who had the old ones.
    await t.registries.update(id, { secret: 'new' }, BY_ADMIN)
    const outdated = async () => (await t.registries.uses(id)).map((use) => use.outdated)
    expect(await outdated()).toEqual([true, false])
    await t.registries.recordUse({ ...consumption, environment: 'east' })
    expect(await outdated()).toEqual([false, false])

    t.uses.clear()
    expect(await codeOf(t.registries.forgetUse(id, 99))).toBe('not_found')
    await t.registries.forgetUse(id, 1)
    await t.registries.remove(id, {})
    expect(await codeOf(t.registries.recordUse(consumption))).toBe('not_found')
    expect(await codeOf(t.registries.uses(id))).toBe('not_found')
  })

  test('a project means the default, or what is in its scope', async () => {
    const p = { id: await t.accounts.createProject('p'), name: 'p' }
    const q = { id: await t.accounts.createProject('q'), name: 'q' }
    const resolve = t.registries.resolve
    await expect(resolve(p, undefined)).rejects.toThrow(
      'there is no default registry; a system administrator can integrate one for it',
    )
    const forP = await t.add('for-p', { projects: [p.id] })
    const forAll = await t.add('for-all')
    const twins = [
      await t.add('x', { name: 'twin', projects: [q.id] }),
      await t.add('y', { name: 'twin', projects: [q.id], enterpriseProjectId: 'e' }),
    ]
    expect((await resolve(p, undefined)).id).toBe(forP.id)
    expect((await resolve(p, 'for-p')).id).toBe(forP.id)
    expect((await resolve(q, forAll.id)).id).toBe(forAll.id)

    const refused = resolve(q, undefined)
    expect(await codeOf(refused)).toBe('denied')
    await expect(resolve(q, undefined)).rejects.toThrow(
      'the default registry is not for project "q"; it may use for-all, twin, twin',
    )
    // Out of scope is as good as missing, so that names cannot be probed.
    for (const asked of [forP.id, 'for-p', 'nothing']) {
      await expect(resolve(q, asked)).rejects.toThrow(
        `there is no registry "${asked}" for project "q"; it may use for-all, twin, twin`,
      )
    }
    expect(await codeOf(resolve(q, 'twin'))).toBe('invalid_input')
    expect((await resolve(q, twins[1]?.id)).enterpriseProjectId).toBe('e')
    expect(await codeOf(resolve(p, 'self'))).toBe('invalid_input')

    // A project that is made later is in the scope of all.
    const later = { id: await t.accounts.createProject('later'), name: 'later' }
    expect((await resolve(later, 'for-all')).id).toBe(forAll.id)
  })

  test('lists show what a member may use, and no other project', async () => {
    const [p, q] = [await t.accounts.createProject('p'), await t.accounts.createProject('q')]
    const alice = await t.accounts.createUser('alice')
    await t.accounts.members.put(p, alice, 'guest')
    await t.add('all')
    await t.add('both', { projects: [q, p, p] })
    const onlyQ = await t.add('only-q', { projects: [q] })
    const none = await t.add('none', { projects: [] })
    const names = async (visibleTo?: number | null) =>
      (await t.registries.list({ visibleTo })).map(
        ({ name, projects }) => `${name}: ${projects.map((project) => project.name)}`,
      )
    expect(await names()).toEqual(['all: ', 'both: p,q', 'only-q: q', 'none: '])
    expect(await names(alice)).toEqual(['all: ', 'both: p'])
    expect(await names(null)).toEqual(['all: '])
    expect(await t.registries.get(onlyQ.id, alice)).toBeUndefined()
    await t.accounts.trashProject(p)
    expect(await names(alice)).toEqual(['all: '])

    await t.registries.update(none.id, { projects: 'all' }, BY_ADMIN)
    expect(await names(null)).toEqual(['all: ', 'none: '])
    const gone = t.registries.update(none.id, { projects: [p] }, BY_ADMIN)
    expect(await codeOf(gone)).toBe('invalid_input')
  })

  test('lists are filtered and paged', async () => {
    const p = await t.accounts.createProject('p')
    await t.add('alpha', { enterpriseProjectId: 'e' })
    await t.add('Beta_1', { address: 'http://beta.example.com:81', provider: 'jfrog' })
    await t.add('gamma', { projects: [p] })
    const names = async (page: Parameters<typeof t.registries.list>[0]) => {
      const found = (await t.registries.list(page)).map(({ name }) => name)
      const { after: _, offset: __, limit: ___, ...filter } = page
      if (Object.keys(page).length === Object.keys(filter).length) {
        expect(await t.registries.count(filter)).toBe(found.length)
      }
      return found
    }
    expect(await names({ name: 'alpha' })).toEqual(['alpha'])
    expect(await names({ nameHas: 'A_' })).toEqual(['Beta_1'])
    expect(await names({ nameHas: 'MM' })).toEqual(['gamma'])
    expect(await names({ providers: ['harbor', 'nexus'] })).toEqual(['alpha', 'gamma'])
    expect(await names({ providers: [] })).toEqual([])
    expect(await names({ host: 'beta.example.com:81' })).toEqual(['Beta_1'])
    expect(await names({ enterpriseProjectId: 'e' })).toEqual(['alpha'])
    expect(await names({ health: ['unknown', 'checking'] })).toEqual(['alpha', 'Beta_1', 'gamma'])
    expect(await names({ health: ['ok'] })).toEqual([])
    expect(await names({ project: p })).toEqual(['alpha', 'Beta_1', 'gamma'])
    expect(await names({ project: p + 1 })).toEqual(['alpha', 'Beta_1'])
    expect(await names({ limit: 1, offset: 1 })).toEqual(['Beta_1'])
    expect(await names({ offset: 2 })).toEqual(['gamma'])
    const [first] = await t.registries.list({ limit: 1 })
    expect(await names({ after: first?.seq, limit: 5 })).toEqual(['Beta_1', 'gamma'])
  })
})

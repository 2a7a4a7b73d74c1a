import { afterEach, beforeEach, expect, test } from 'bun:test'
import { codeOf } from '../../accounts/test-accounts.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { BY_ADMIN, createTestRegistries, PLANTED, type TestRegistries } from './test-registries.ts'
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

onEachEngine('registries', (create) => {
  let t: TestRegistries
  beforeEach(async () => {
    t = await createTestRegistries(create)
  })
  afterEach(() => t.remove())

  test('a record keeps what was set, and has a place in the order', async () => {
    const made = await t.registries.create(
      {
        provider: 'acr',
        address: 'http://Registry.cn-shanghai.aliyuncs.com/',
        namespace: ' team/a ',
        accessKey: 'who',
        secret: PLANTED,
        notes: 'two\nlines',
        origin: 'zadig',
        createdBy: null,
      },
      BY_ADMIN,
    )
    expect(made).toMatchObject({
      name: 'registry.cn-shanghai.aliyuncs.com/team/a',
      address: 'http://registry.cn-shanghai.aliyuncs.com',
      namespace: 'team/a',
      region: '',
      accessKey: 'who',
      hasSecret: true,
      verifyTls: true,
      caCertificate: null,
      isDefault: true,
      allProjects: true,
      privateAllowed: true,
      health: 'unknown',
      enterpriseProjectId: '0',
      connectClusterId: 'local',
      apiVersion: 'V2',
      scanImageChannel: 'Swr',
      version: 1,
    })
    expect(made.id).toMatch(/^[0-9a-f]{24}$/)
    // Seconds first, as in the ids that Zadig shows.
    expect(Number.parseInt(made.id.slice(0, 8), 16)).toBe(Math.floor(t.accounts.clock() / 1000))
    const other = await t.add('second')
    expect((await t.registries.list({})).map(({ id }) => id)).toEqual([made.id, other.id])
    expect(await t.registries.get(made.id)).toEqual(made)
    expect(JSON.stringify(await t.registries.list({}))).not.toContain(PLANTED)
    expect(t.changed).toEqual([made.id, other.id])
  })

  test('a secret is sealed, and opened with the record it belongs to', async () => {
    const { id } = await t.add('one', { region: 'r1', namespace: 'n', verifyTls: false })
    const row = await t.accounts.db.query
      .selectFrom('registry')
      .selectAll()
      .executeTakeFirstOrThrow()
    expect(JSON.stringify(row)).not.toContain(PLANTED)
    expect(await t.registries.open(id)).toMatchObject({
      privateHost: 'one.example.com:443',
      endpoint: {
        provider: 'harbor',
        address: 'https://one.example.com',
        region: 'r1',
        namespace: 'n',
        accessKey: 'ci',
        secretKey: PLANTED,
        verifyTls: false,
      },
    })
    const cloud = await t.registries.create(
      { provider: 'tcr', address: 'http://a.com', origin: 'hss', createdBy: null },
      { mayUsePrivate: false },
    )
    const { endpoint, privateHost } = await t.registries.open(cloud.id)
    expect(endpoint).toEqual({
      provider: 'tcr',
      address: 'https://a.com',
      accessKey: '',
      secretKey: '',
      verifyTls: true,
    })
    expect(privateHost).toBeUndefined()
    expect(await codeOf(t.registries.open('0'.repeat(24)))).toBe('not_found')
  })

  test('the first that may be elected is the default; one of HSS only when promoted', async () => {
    const hss = await t.add('hss', { origin: 'hss' })
    expect(await t.defaultName()).toBeUndefined()
    const first = await t.add('first', { isDefault: false })
    await t.add('second')
    expect(await t.defaultName()).toBe('first')
    const third = await t.add('third', { isDefault: true })
    expect(await t.defaultName()).toBe('third')

    expect((await t.registries.promote(hss.id)).isDefault).toBe(true)
    expect(await t.defaultName()).toBe('hss')
    await t.registries.update(third.id, { isDefault: true }, BY_ADMIN)
    expect(await t.defaultName()).toBe('third')
    // Leaving it out, and false for one that is not the default, change nothing.
    await t.registries.update(third.id, { notes: 'x' }, BY_ADMIN)
    await t.registries.update(first.id, { isDefault: false }, BY_ADMIN)
    expect(await t.defaultName()).toBe('third')
    const unset = t.registries.update(third.id, { isDefault: false, notes: 'y' }, BY_ADMIN)
    expect(await codeOf(unset)).toBe('invalid_input')
    expect((await t.registries.get(third.id))?.notes).toBe('x')
    expect(await codeOf(t.registries.promote('0'.repeat(24)))).toBe('not_found')
  })

  test('the default is deleted with a successor, the last one without', async () => {
    const [a, b] = [await t.add('a'), await t.add('b')]
    const hss = await t.add('hss', { origin: 'hss' })
    expect(await codeOf(t.registries.remove(a.id, {}))).toBe('invalid_input')
    for (const successor of [a.id, '0'.repeat(24), 'b']) {
      expect(await codeOf(t.registries.remove(a.id, { successor }))).toBe('invalid_input')
    }
    expect(await t.defaultName()).toBe('a')
    await t.registries.remove(a.id, { successor: b.id })
    expect(await t.defaultName()).toBe('b')
    // The one of HSS was never promoted, so b is the last that could be elected.
    await t.registries.remove(b.id, {})
    expect(await t.defaultName()).toBeUndefined()
    await t.registries.remove(hss.id, {})
    expect(await t.registries.list({})).toEqual([])
    expect(await codeOf(t.registries.remove(b.id, {}))).toBe('not_found')
    await t.add('c')
    expect(await t.defaultName()).toBe('c')
  })

  test('one whose secret only a runner opens is no default, and is not opened', async () => {
    const secret = { sealed: 'a.b.c.d.e', runnerKey: 'key-1' }
    const far = await t.add('far', { secret, connectClusterId: 'east' })
    expect(far).toMatchObject({ hasSecret: true, runnerKey: 'key-1', isDefault: false })
    expect(await codeOf(t.registries.open(far.id))).toBe('denied')
    expect(await codeOf(t.registries.promote(far.id))).toBe('invalid_input')
    expect(await codeOf(t.add('other', { secret, isDefault: true }))).toBe('invalid_input')
    const near = await t.add('near')
    expect(await codeOf(t.registries.update(near.id, { secret }, BY_ADMIN))).toBe('invalid_input')
    // Another runner could not open it.
    const moved = { connectClusterId: 'west' }
    expect(await codeOf(t.registries.update(far.id, moved, BY_ADMIN))).toBe('invalid_input')
    await t.registries.update(far.id, { ...moved, secret: 'readable' }, BY_ADMIN)
    expect((await t.registries.open(far.id)).endpoint.secretKey).toBe('readable')
  })

  test('moving a registry takes its secret again, and else changes nothing', async () => {
    const made = await t.add('one', { namespace: 'n' })
    for (const change of [
      { address: 'http://one.example.com' },
      { address: 'https://other.example.com' },
      { address: 'https://one.example.com:8443' },
      { address: 'https://one.example.com/path' },
      { provider: 'nexus' as const },
      { verifyTls: false },
    ]) {
      const refused = t.registries.update(made.id, { ...change, notes: 'changed' }, BY_ADMIN)
      expect([change, await codeOf(refused)]).toEqual([change, 'invalid_input'])
    }
    expect(await t.registries.get(made.id)).toEqual(made)

    t.accounts.pass(1_000)
    const renamed = await t.registries.update(
      made.id,
      { address: 'https://ONE.example.com/', name: 'two', namespace: 'm', region: 'r' },
      BY_ADMIN,
    )
    expect(renamed).toMatchObject({ name: 'two', secretChangedAt: made.secretChangedAt })
    expect((await t.registries.open(made.id)).endpoint.secretKey).toBe(PLANTED)

    const moved = await t.registries.update(
      made.id,
      { address: 'http://10.0.0.1:8080', secret: 'another' },
      { mayUsePrivate: false },
    )
    expect(moved).toMatchObject({ privateAllowed: false, version: 3 })
    expect(moved.secretChangedAt).toBe(t.accounts.clock())
    expect((await t.registries.open(made.id)).endpoint).toMatchObject({
      address: 'http://10.0.0.1:8080',
      secretKey: 'another',
    })
    // Without a secret there is none that could go astray.
    await t.registries.update(made.id, { secret: '' }, BY_ADMIN)
    const free = await t.registries.update(made.id, { provider: 'native' }, BY_ADMIN)
    expect(free).toMatchObject({ provider: 'native', hasSecret: false })
  })

  test('an address is allowed to be private only by who may allow it', async () => {
    const made = await t.registries.create(
      { provider: 'harbor', address: 'https://10.0.0.1', origin: 'hss', createdBy: null },
      { mayUsePrivate: false },
    )
    expect(made.privateAllowed).toBe(false)
    const { id } = made
    const again = await t.registries.update(id, { address: 'https://10.0.0.1' }, BY_ADMIN)
    expect(again.privateAllowed).toBe(true)
    const path = { address: 'https://10.0.0.1:443/x' }
    const stays = await t.registries.update(id, path, { mayUsePrivate: false })
    expect(stays.privateAllowed).toBe(true)
    const port = { address: 'https://10.0.0.1:444' }
    const moves = await t.registries.update(id, port, { mayUsePrivate: false })
    expect(moves.privateAllowed).toBe(false)
  })

  test('a change is refused when the record was changed meanwhile', async () => {
    const { id, version } = await t.add('one')
    await t.registries.update(id, { notes: 'x' }, { ...BY_ADMIN, version })
    const late = t.registries.update(id, { notes: 'y' }, { ...BY_ADMIN, version })
    expect(await codeOf(late)).toBe('precondition_failed')
    expect(await codeOf(t.registries.remove(id, { version }))).toBe('precondition_failed')
    expect(await codeOf(t.registries.update('nothing', {}, BY_ADMIN))).toBe('not_found')
  })

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

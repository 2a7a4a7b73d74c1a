import { afterEach, beforeEach, expect, test } from 'bun:test'
import { createSelfSigned } from '../../lib/self-signed.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { createTestApi, type TestApi } from './test-api.ts'

const AS_ROOT = { as: 'root' }
const HARBOR = {
  name: 'harbor',
  provider: 'harbor',
  address: 'https://harbor.example.com',
  namespace: 'team',
  accessKey: 'ci',
  secretKey: 'planted-secret',
}

onEachEngine('registries of the own API', (create) => {
  let api: TestApi
  beforeEach(async () => {
    api = await createTestApi(create)
  })
  afterEach(() => api.remove())

  const post = async (body: object) =>
    (await api.expect(201, 'POST', '/registries', { ...AS_ROOT, body })).body
  const pathOf = (made: { id: unknown }) => `/registries/${made.id}`

  test('one is made, read, changed and deleted', async () => {
    const { cert } = createSelfSigned({ names: ['harbor.example.com'], now: 0, days: 9 })
    const body = { ...HARBOR, caCertificate: cert, notes: 'old' }
    const made = await api.expect(201, 'POST', '/registries', { ...AS_ROOT, body })
    expect(made.headers.get('location')).toBe(`/api/v1/registries/${made.body.id}`)
    expect(made.headers.get('etag')).toBe('"1"')
    const now = api.accounts.clock()
    expect(made.body as object).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{24}$/),
      name: 'harbor',
      provider: 'harbor',
      address: 'https://harbor.example.com',
      region: '',
      namespace: 'team',
      accessKey: 'ci',
      hasSecret: true,
      secretChangedAt: now,
      verifyTls: true,
      caCertificate: cert,
      isDefault: true,
      projects: null,
      notes: 'old',
      origin: 'api',
      privateAllowed: true,
      runner: 'local',
      runnerHoldsSecret: false,
      health: 'unknown',
      healthReason: '',
      checkedAt: null,
      lastSuccessAt: null,
      credentialExpiresAt: null,
      imageCount: 0,
      latestSyncAt: null,
      syncCron: null,
      syncTimeZone: 'UTC',
      createdAt: now,
      updatedAt: now,
      version: 1,
    })
    const path = pathOf(made.body)
    expect((await api.expect(200, 'GET', path, AS_ROOT)).body).toEqual(made.body)

    const change = { ...AS_ROOT, body: { notes: 'new' }, headers: { 'if-match': '"1"' } }
    const changed = await api.expect(200, 'PATCH', path, change)
    expect(changed.body).toMatchObject({ notes: 'new', version: 2, hasSecret: true })
    await api.expect(412, 'PATCH', path, change)
    await api.expect(412, 'DELETE', path, { ...AS_ROOT, headers: { 'if-match': '"1"' } })
    await api.expect(204, 'DELETE', path, { ...AS_ROOT, headers: { 'if-match': '"2"' } })
    await api.expect(404, 'GET', path, AS_ROOT)
    expect(await api.audited()).toEqual([
      'registry.create harbor',
      'registry.update harbor',
      'registry.delete harbor',
    ])
    const rows = await api.accounts.db.query.selectFrom('audit').select('details').execute()
    expect(rows.map(({ details }) => JSON.parse(details))).toEqual([
      {
        provider: 'harbor',
        address: 'https://harbor.example.com',
        namespace: 'team',
        verifyTls: true,
        privateAllowed: true,
        allProjects: true,
        isDefault: true,
        secretChanged: true,
      },
      {},
      { isDefault: true },
    ])
  })

  test('what is wrong is named', async () => {
    for (const [change, field] of [
      [{ provider: 'docker' }, 'provider'],
      [{ address: 'harbor' }, 'address'],
      [{ name: 'self' }, 'name'],
      [{ provider: 'ecr' }, 'region'],
      [{ namespace: 'Team' }, 'namespace'],
      [{ caCertificate: 'x' }, 'caCertificate'],
      [{ projects: ['nothing'] }, 'projects'],
      [{ password: 'x' }, 'password'],
      [{ secretKey: 7 }, 'secretKey'],
    ] as const) {
      const asked = { ...AS_ROOT, body: { ...HARBOR, ...change } }
      const { body } = await api.expect(400, 'POST', '/registries', asked)
      expect([change, body.errors.map((error) => error.field)]).toEqual([change, [field]])
    }
    await post(HARBOR)
    await api.expect(409, 'POST', '/registries', { ...AS_ROOT, body: HARBOR })
  })

  test('another address takes the secret again, and changes nothing without it', async () => {
    const made = await post(HARBOR)
    const address = 'https://other.example.com'
    const refused = await api.expect(400, 'PATCH', pathOf(made), {
      ...AS_ROOT,
      body: { address, notes: 'x' },
    })
    expect(refused.body.errors.map(({ field }) => field)).toEqual(['address'])
    expect((await api.expect(200, 'GET', pathOf(made), AS_ROOT)).body).toEqual(made)
    const body = { address, secretKey: 'again' }
    const moved = await api.expect(200, 'PATCH', pathOf(made), { ...AS_ROOT, body })
    expect(moved.body.address).toBe(address)
    const entries = await api.accounts.db.query.selectFrom('audit').selectAll().execute()
    expect(JSON.parse(entries.at(-1)?.details ?? '')).toEqual({
      address,
      previousAddress: HARBOR.address,
      secretChanged: true,
    })
  })

  test('the default is handed on, never lost', async () => {
    const [first, second] = [await post(HARBOR), await post({ ...HARBOR, name: 'second' })]
    expect([first.isDefault, second.isDefault]).toEqual([true, false])
    const alone = await api.expect(400, 'DELETE', pathOf(first), AS_ROOT)
    expect(alone.body.errors.map(({ field }) => field)).toEqual(['successor'])
    const promoted = await api.expect(200, 'POST', `${pathOf(second)}/default`, AS_ROOT)
    expect(promoted.body.isDefault).toBe(true)
    await api.expect(204, 'DELETE', `${pathOf(second)}?successor=${first.id}`, AS_ROOT)
    const { body } = await api.expect(200, 'GET', '/registries', AS_ROOT)
    expect(body.items.map(({ name, isDefault }) => [name, isDefault])).toEqual([['harbor', true]])
    const third = await post({ ...HARBOR, name: 'third', isDefault: true })
    expect(third.isDefault).toBe(true)
    await api.expect(404, 'POST', `/registries/${'0'.repeat(24)}/default`, AS_ROOT)
  })

  test('whoever uses one is listed, and forgotten when gone', async () => {
    const made = await post(HARBOR)
    const project = await api.accounts.createProject('payments')
    const { registries } = api
    const registry = String(made.id)
    await registries.recordUse({ registry, project, purpose: 'build', account: null })
    const listed = await api.expect(200, 'GET', `${pathOf(made)}/uses`, AS_ROOT)
    expect(listed.body.items as object[]).toEqual([
      {
        kind: 'consumer',
        id: '1',
        what: 'project payments: build',
        project: 'payments',
        purpose: 'build',
        environment: null,
        lastUsedAt: api.accounts.clock(),
        outdated: false,
      },
    ])
    const refused = await api.expect(409, 'DELETE', pathOf(made), AS_ROOT)
    expect(refused.body.code).toBe('in_use')
    expect(refused.body.errors).toEqual([{ message: 'project payments: build' }])
    await api.expect(204, 'DELETE', `${pathOf(made)}/uses/1`, AS_ROOT)
    await api.expect(404, 'DELETE', `${pathOf(made)}/uses/1`, AS_ROOT)
    await api.expect(204, 'DELETE', pathOf(made), AS_ROOT)
  })

  test('members see what their projects may use, without keys and other projects', async () => {
    const alice = await api.accounts.createUser('alice')
    const [mine, theirs] = [
      await api.accounts.createProject('mine'),
      await api.accounts.createProject('theirs'),
    ]
    await api.accounts.members.put(mine, alice, 'guest')
    expect(theirs).toBeGreaterThan(mine)
    const both = await post({ ...HARBOR, name: 'both', projects: ['theirs', 'mine'], notes: 'x' })
    const hidden = await post({ ...HARBOR, name: 'hidden', projects: ['theirs'] })
    const all = await post({ ...HARBOR, name: 'all' })
    expect([both.projects, hidden.projects]).toEqual([['mine', 'theirs'], ['theirs']])

    const asAlice = { as: 'alice' }
    const { body } = await api.expect(200, 'GET', '/registries', asAlice)
    expect(
      body.items.map(({ name, projects, accessKey, notes }) => [name, projects, accessKey, notes]),
    ).toEqual([
      ['both', ['mine'], null, ''],
      ['all', null, null, ''],
    ])
    await api.expect(404, 'GET', pathOf(hidden), asAlice)
    await api.expect(200, 'GET', pathOf(all), asAlice)
    await api.expect(403, 'PATCH', pathOf(all), { ...asAlice, body: { notes: 'x' } })

    const scoped = await api.expect(200, 'PATCH', pathOf(both), {
      ...AS_ROOT,
      body: { projects: [] },
    })
    expect(scoped.body.projects).toEqual([])
    await api.expect(404, 'GET', pathOf(both), asAlice)
  })

  test('lists are paged in the order of creation, and filtered', async () => {
    await api.accounts.createProject('p')
    for (const name of ['c', 'a', 'b']) {
      const provider = name === 'a' ? 'nexus' : 'harbor'
      await post({ ...HARBOR, name, provider, projects: name === 'b' ? [] : null })
    }
    const names = async (query: string) => {
      const { body } = await api.expect(200, 'GET', `/registries${query}`, AS_ROOT)
      return { names: body.items.map(({ name }) => name), next: body.next }
    }
    const first = await names('?limit=2')
    expect(first.names).toEqual(['c', 'a'])
    expect(await names(`?limit=2&after=${first.next}`)).toEqual({ names: ['b'], next: null })
    expect((await names('?provider=nexus')).names).toEqual(['a'])
    expect((await names('?nameHas=B')).names).toEqual(['b'])
    expect((await names('?project=p')).names).toEqual(['c', 'a'])
    expect((await names('?project=nothing')).names).toEqual([])
    await api.expect(400, 'GET', '/registries?after=x', AS_ROOT)
    await api.expect(400, 'GET', '/registries?provider=x', AS_ROOT)
  })
})

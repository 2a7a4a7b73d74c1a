import { afterEach, beforeEach, expect, test } from 'bun:test'
import { codeOf } from '../../accounts/test-accounts.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { BY_ADMIN, createTestRegistries, PLANTED, type TestRegistries } from './test-registries.ts'

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
})

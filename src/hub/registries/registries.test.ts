import { afterEach, beforeEach, expect, test } from 'bun:test'
import { calculateJwkThumbprint } from 'jose'
import { codeOf, testSealer } from '../../accounts/test-accounts.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { createRunners } from '../runners/runners.ts'
import { openLogin } from '../runners/sealed-login.ts'
import { addRunner } from '../runners/test-runner.ts'
import { readSealed } from './list.ts'
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
      apiVersion: 'V2',
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
    const east = await addRunner(t.accounts, 'east')
    const atEast = { connectClusterId: 'east', secret: PLANTED }
    const far = await t.add('far', atEast)
    expect(far).toMatchObject({ hasSecret: true, isDefault: false })
    expect(far.runnerKey).toBe(await calculateJwkThumbprint(east.publicKey))
    const { sealed } = (await readSealed(t.accounts.db.query, far.id)) ?? {}
    const use = { ...far, address: far.address }
    expect(await openLogin(east.privateKey, sealed ?? '', use)).toBe(PLANTED)
    const moves = { ...use, address: 'https://elsewhere.example.com' }
    expect(await codeOf(openLogin(east.privateKey, sealed ?? '', moves))).toBe('denied')
    expect(await codeOf(testSealer.openText(sealed ?? ''))).toBe('internal')
    expect(await codeOf(t.registries.open(far.id))).toBe('denied')
    expect(await codeOf(t.registries.promote(far.id))).toBe('invalid_input')
    expect(await codeOf(t.add('other', { ...atEast, isDefault: true }))).toBe('invalid_input')
    const near = await t.add('near')
    expect(await codeOf(t.registries.update(near.id, atEast, BY_ADMIN))).toBe('invalid_input')
    // Another runner could not open it.
    const moved = { connectClusterId: 'west' }
    await addRunner(t.accounts, 'west')
    expect(await codeOf(t.registries.update(far.id, moved, BY_ADMIN))).toBe('invalid_input')
    const home = { connectClusterId: 'local', secret: 'readable' }
    await t.registries.update(far.id, home, BY_ADMIN)
    expect((await t.registries.open(far.id)).endpoint.secretKey).toBe('readable')
  })

  test('a runner must be there, enrolled, and serve the projects of the registry', async () => {
    const create = (connectClusterId: string, projects: 'all' | number[] = 'all') =>
      t.add('one', { connectClusterId, projects })
    expect(create('absent')).rejects.toThrow('there are local')
    const { create: invite, revoke } = createRunners(t.accounts)
    await invite({ id: 'invited', project: null, createdBy: null })
    expect(create('invited')).rejects.toThrow('has not enrolled')
    await addRunner(t.accounts, 'gone')
    await revoke('gone')
    expect(create('gone')).rejects.toThrow('revoked')
    const own = await t.accounts.createProject('own')
    const other = await t.accounts.createProject('other')
    await addRunner(t.accounts, 'scoped', own)
    expect(create('scoped')).rejects.toThrow('one project')
    expect(create('scoped', [own, other])).rejects.toThrow('one project')
    const { id } = await create('scoped', [own])
    const wider = t.registries.update(id, { projects: [own, other] }, BY_ADMIN)
    expect(await codeOf(wider)).toBe('invalid_input')
    await t.registries.update(id, { notes: 'x' }, BY_ADMIN)
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

  test('a private address is allowed in the network of its runner alone', async () => {
    await addRunner(t.accounts, 'edge')
    const [far, here] = [{ connectClusterId: 'edge' }, { connectClusterId: 'local' }]
    const { id } = await t.registries.create(
      { provider: 'native', address: 'https://10.0.0.1', origin: 'hss', createdBy: null, ...far },
      BY_ADMIN,
    )
    const moved = await t.registries.update(id, here, { mayUsePrivate: false })
    expect(moved.privateAllowed).toBe(false)
    await t.registries.update(id, { ...far, address: 'https://10.0.0.1' }, BY_ADMIN)
    const byAdmin = await t.registries.update(id, here, BY_ADMIN)
    expect(byAdmin.privateAllowed).toBe(true)
    const back = await t.registries.update(id, far, { mayUsePrivate: false })
    expect(back.privateAllowed).toBe(false)
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

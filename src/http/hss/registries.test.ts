import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from 'bun:test'
import { sql } from 'kysely'
import { BASE, HARBOR, startTestHss, type TestHss } from './test-hss.ts'

setDefaultTimeout(60_000)

let hss: TestHss
beforeAll(async () => {
  hss = await startTestHss()
  // The jobs process would find that the addresses are made up, sooner or later.
  await sql`create trigger no_test after insert on job when new.name = 'registry.check'
    begin update job set run_at = run_at + 3600000 where id = new.id; end`.execute(hss.db.query)
})
afterAll(() => hss.stop())
beforeEach(async () => {
  await hss.db.query.deleteFrom('registry').execute()
})

const add = (change: object = {}, query = '') =>
  hss.outcome('POST', BASE + query, { body: { ...HARBOR, ...change } })
const list = async (query = '') => (await hss.call('GET', BASE + query)).body
const named = async (query = '') =>
  (await list(query)).data_list.map(({ registry_name }) => registry_name)
const idOf = async (name: string) => {
  const { data_list } = await list('?enterprise_project_id=all_granted_eps&limit=200')
  return data_list.find(({ registry_name }) => registry_name === name)?.id ?? 'none'
}

describe('AddRegistry', () => {
  test('answers 200 with nothing, and the list has the registry, being accessed', async () => {
    const { status, text, header } = await hss.call('POST', BASE, { body: HARBOR })
    expect([status, text, header('content-length')]).toEqual([200, '', '0'])
    expect(header('x-request-id')).toMatch(/^[0-9a-f]{16}$/)
    const { data_list, total_num } = await list()
    const { registry_password, ...shown } = HARBOR
    expect(total_num).toBe(1)
    expect(data_list).toEqual([
      { id: expect.stringMatching(/^[0-9a-f]{24}$/), ...shown, status: 'accessing', images_num: 0 },
    ])
    expect(JSON.stringify(data_list)).not.toContain(registry_password)
  })

  test('the record is the hub’s, for this project, never the default', async () => {
    await add()
    const row = await hss.db.query.selectFrom('registry').selectAll().executeTakeFirstOrThrow()
    expect(row).toMatchObject({
      provider: 'harbor',
      address: 'https://harbor.example.com:8443',
      namespace: '',
      scan_namespace: 'security',
      origin: 'hss',
      electable: 0,
      all_projects: 0,
      verify_tls: 1,
      private_allowed: 0,
      enterprise_project_id: '0',
    })
    expect(JSON.stringify(row)).not.toContain(HARBOR.registry_password)
    const pointer = await hss.db.query.selectFrom('registry_default').selectAll().execute()
    expect(pointer).toEqual([{ id: 1, registry: null }])
    const projects = await hss.db.query.selectFrom('registry_project').selectAll().execute()
    expect(projects).toHaveLength(1)
  })

  test('a test of the connection is asked for, and the audit tells of it without the password', async () => {
    await add()
    const id = await idOf(HARBOR.registry_name)
    const jobs = await hss.db.query
      .selectFrom('job')
      .select('payload')
      .where('name', '=', 'registry.check')
      .execute()
    expect(jobs.map(({ payload }) => JSON.parse(payload))).toContainEqual({ registry: id })
    const entries = await hss.db.query
      .selectFrom('audit')
      .selectAll()
      .where('action', '=', 'registry.create')
      .execute()
    expect(entries.at(-1)).toMatchObject({
      account_name: 'scanner',
      resource: HARBOR.registry_name,
    })
    expect(JSON.stringify(entries)).not.toContain(HARBOR.registry_password)
  })

  test('the program that the vendor prints sends nothing, and is told every field', async () => {
    for (const raw of ['{}', '']) {
      const { status, body } = await hss.call('POST', BASE, { raw })
      expect([status, body.error_code]).toEqual([400, 'HSS.0001'])
      expect(body.error_description).toBe(body.error_msg)
      for (const field of Object.keys(HARBOR).filter((name) => name !== 'namespace')) {
        expect(body.error_msg).toContain(`${field} is missing`)
      }
    }
  })

  test('what is no JSON object cannot be read', async () => {
    expect(await hss.outcome('POST', BASE, { raw: '{"registry_name":' })).toBe('400 HSS.0002')
    expect(await hss.outcome('POST', BASE, { raw: '[]' })).toBe('400 HSS.0001')
    expect(await hss.outcome('POST', BASE, { raw: 'x'.repeat(300_000) })).toBe('413 APIGW.0201')
  })

  test('a namespace is needed where scan components are uploaded by hand, and only there', async () => {
    const { namespace, ...rest } = HARBOR
    expect(namespace).not.toBe('')
    const other = await hss.call('POST', BASE, { body: rest })
    expect([other.status, other.body.error_code]).toEqual([400, 'HSS.0001'])
    expect(other.body.error_msg).toContain('namespace is missing')
    const body = { ...rest, get_scan_image_channel: 'Swr' }
    expect(await hss.outcome('POST', BASE, { body })).toBe('200')
    expect((await list()).data_list[0]).not.toHaveProperty('namespace')
  })

  test('a cluster that has not joined is refused, and those that have are named', async () => {
    const { body } = await hss.call('POST', BASE, {
      body: { ...HARBOR, connect_cluster_id: 'far' },
    })
    expect(body.error_code).toBe('HSS.0001')
    expect(body.error_msg).toContain('connect_cluster_id must be one of local')
  })

  test('what the hub refuses is told by the name of the field', async () => {
    for (const [change, field] of [
      [{ registry_username: 'a:b' }, 'registry_username'],
      [{ registry_addr: 'user@harbor.example.com' }, 'registry_addr'],
      [{ registry_addr: 'harbor.example.com?x' }, 'registry_addr'],
      [{ registry_name: 'self' }, 'registry_name'],
    ] as const) {
      const { body } = await hss.call('POST', BASE, { body: { ...HARBOR, ...change } })
      expect([field, body.error_code]).toEqual([field, 'HSS.0001'])
      expect(body.error_msg).toContain(`${field}: `)
    }
  })

  test('a name is taken once in a project and enterprise project, an address is not', async () => {
    expect(await add()).toBe('200')
    expect(await add()).toBe('400 HSS.0001')
    expect(await add({ registry_name: 'second' })).toBe('200')
    expect(await add({}, '?enterprise_project_id=eps-1')).toBe('200')
    expect(await add({}, '?enterprise_project_id=eps-1')).toBe('400 HSS.0001')
    expect(await add({ registry_name: 'third' }, '?enterprise_project_id=all_granted_eps')).toBe(
      '400 HSS.0001',
    )
    expect(await named()).toEqual([HARBOR.registry_name, 'second'])
    expect(await named('?enterprise_project_id=eps-1')).toEqual([HARBOR.registry_name])
    expect((await list('?enterprise_project_id=all_granted_eps')).total_num).toBe(3)
  })
})

describe('ListRegistry', () => {
  beforeEach(async () => {
    await add({ registry_name: 'a', registry_addr: 'A.example.com' })
    await add({ registry_name: 'b', registry_type: 'Jfrog', protocol: 'http' })
    await add({ registry_name: 'c', registry_addr: 'c.example.com/path' })
    const health = { a: 'ok', b: 'failing' } as const
    for (const [name, state] of Object.entries(health)) {
      await hss.db.query
        .updateTable('registry')
        .set({
          health: state,
          health_reason: 'why',
          health_code: state === 'ok' ? null : 'REQUEST_API_ERROR',
        })
        .where('name', '=', name)
        .execute()
    }
  })

  test('every filter works, registry_id too', async () => {
    const id = await idOf('b')
    for (const [query, names] of [
      ['', ['a', 'b', 'c']],
      ['?registry_name=b', ['b']],
      ['?registry_name=B', []],
      [`?registry_id=${id}`, ['b']],
      ['?registry_id=none', []],
      ['?registry_type=Harbor', ['a', 'c']],
      ['?registry_type=Jfrog', ['b']],
      ['?registry_type=Jfrog,Harbor', ['a', 'b', 'c']],
      ['?registry_type=Other,SwrPrivate,SwrShared,SwrEnterprise', []],
      ['?registry_addr=a.example.com', ['a']],
      ['?registry_addr=A.example.com', ['a']],
      ['?registry_addr=example.com', []],
      ['?registry_addr=c.example.com/path', ['c']],
      ['?status=success', ['a']],
      ['?status=fail', ['b']],
      ['?status=accessing', ['c']],
      ['?status=success&registry_type=Jfrog', []],
      ['?enterprise_project_id=none', []],
    ] as const) {
      const { data_list, total_num } = await list(query)
      const found = data_list.map(({ registry_name }) => registry_name)
      expect([query, found, total_num]).toEqual([query, [...names], names.length])
    }
  })

  test('a failure has its reason, in the vendor’s word and in ours', async () => {
    const { data_list } = await list('?status=fail')
    expect(data_list[0]).toMatchObject({
      status: 'fail',
      fail_reason: 'REQUEST_API_ERROR',
      fail_detail: 'why',
      protocol: 'http',
    })
  })

  test('pages have the whole number', async () => {
    for (let i = 0; i < 10; i++) await add({ registry_name: `more-${i}` })
    expect((await list()).data_list).toHaveLength(10)
    const second = await list('?offset=10&limit=10')
    expect([second.total_num, second.data_list.length]).toEqual([13, 3])
    expect(await named('?offset=13')).toEqual([])
  })

  test('statistics count what works and what does not', async () => {
    const of = async (query = '') => (await hss.call('GET', `${BASE}/statistics${query}`)).body
    expect(await of()).toEqual({ success_num: 1, fail_num: 1 } as never)
    expect(await of('?registry_type=Harbor')).toEqual({ success_num: 1, fail_num: 0 } as never)
    expect(await of('?enterprise_project_id=x')).toEqual({ success_num: 0, fail_num: 0 } as never)
  })

  test('rows that were made elsewhere are shown with their defaults', async () => {
    await hss.db.query
      .insertInto('registry')
      .values({
        id: 'f'.repeat(24),
        name: 'swr',
        provider: 'swr',
        address: 'https://swr.cn-east-3.myhuaweicloud.com',
        namespace: 'team',
        access_key: 'AK',
        all_projects: 1,
        origin: 'console',
        electable: 1,
        created_at: 1,
        updated_at: 1,
      } as never)
      .execute()
    const { data_list } = await list('?registry_type=SwrPrivate')
    expect(data_list).toEqual([
      {
        id: 'f'.repeat(24),
        registry_name: 'swr',
        registry_type: 'SwrPrivate',
        api_version: 'V2',
        protocol: 'https',
        registry_addr: 'swr.cn-east-3.myhuaweicloud.com',
        registry_username: 'AK',
        connect_cluster_id: 'local',
        get_scan_image_channel: 'Swr',
        status: 'accessing',
        images_num: 0,
      },
    ])
    // It is for all projects, so it is not this project's to change.
    const path = `${BASE}/${'f'.repeat(24)}`
    expect(await hss.outcome('DELETE', path)).toBe('400 HSS.0013')
    expect(await hss.outcome('PUT', path, { body: { api_version: 'V1' } })).toBe('400 HSS.0013')
    expect(await hss.outcome('PUT', path, { body: { api_version: 'V1' }, as: 'admin' })).toBe('200')
    expect(await hss.outcome('DELETE', path, { as: 'admin' })).toBe('200')
  })
})

describe('changes', () => {
  beforeEach(() => add())
  const one = async () => `${BASE}/${await idOf(HARBOR.registry_name)}`

  test('what is sent is changed, the rest and the name are kept', async () => {
    const path = await one()
    const body = { api_version: 'V1', registry_name: 'other', registry_type: 'Jfrog' }
    expect(await hss.outcome('PUT', path, { body })).toBe('200')
    const { registry_password, ...shown } = HARBOR
    const { data_list } = await list()
    expect(data_list[0]).toMatchObject({ ...shown, api_version: 'V1' })
    expect(await hss.outcome('PUT', path, { raw: '{}' })).toBe('200')
    expect(registry_password).not.toBe('')
  })

  test('a stored password never goes to a new address', async () => {
    const path = await one()
    for (const change of [{ registry_addr: 'evil.example.com' }, { protocol: 'http' }]) {
      const { body } = await hss.call('PUT', path, { body: change })
      expect(body.error_code).toBe('HSS.0001')
      expect(body.error_msg).toContain('secret key again')
    }
    const body = { registry_addr: 'new.example.com', registry_password: 'new' }
    expect(await hss.outcome('PUT', path, { body })).toBe('200')
    expect(await named('?registry_addr=new.example.com')).toEqual([HARBOR.registry_name])
  })

  test('what is not there is HSS.0011, in another enterprise project too', async () => {
    const path = await one()
    for (const wrong of [`${BASE}/none`, `${path}?enterprise_project_id=eps-1`]) {
      expect(await hss.outcome('PUT', wrong, { body: {} })).toBe('400 HSS.0011')
      expect(await hss.outcome('DELETE', wrong)).toBe('400 HSS.0011')
    }
    expect(await hss.outcome('DELETE', `${path}?enterprise_project_id=all_granted_eps`)).toBe(
      '400 HSS.0001',
    )
    expect(await hss.outcome('DELETE', path)).toBe('200')
    expect(await hss.outcome('DELETE', path)).toBe('400 HSS.0011')
  })

  test('several are deleted, or none when one of them is unknown', async () => {
    await add({ registry_name: 'second' })
    const ids = [await idOf(HARBOR.registry_name), await idOf('second')]
    const path = `${BASE}/batch-delete`
    expect(await hss.outcome('POST', path, { body: { ids: [...ids, 'none'] } })).toBe(
      '400 HSS.0011',
    )
    expect((await list()).total_num).toBe(2)
    expect(await hss.outcome('POST', path, { body: { ids: [...ids, ids[0]] } })).toBe('200')
    expect((await list()).total_num).toBe(0)
    expect(await hss.outcome('POST', path, { body: { ids: [] } })).toBe('400 HSS.0001')
  })

  test('what is used cannot be deleted, and it is said by whom', async () => {
    const path = await one()
    const project = await hss.registry.projects.get('payments')
    await hss.db.query
      .insertInto('consumer')
      .values({
        registry: path.slice(BASE.length + 1),
        project: project?.id ?? 0,
        purpose: 'build',
        first_fetched_at: 1,
        last_fetched_at: 1,
        account: null,
        secret_changed_at: null,
      })
      .execute()
    const { status, body } = await hss.call('DELETE', path)
    expect([status, body.error_code]).toEqual([400, 'HSS.0010'])
    expect(body.error_msg).toContain('project payments: build')
  })

  test('the default waits for its successor', async () => {
    const path = await one()
    const id = path.slice(BASE.length + 1)
    await add({ registry_name: 'second' })
    await hss.db.query.updateTable('registry').set({ electable: 1 }).execute()
    await hss.db.query.updateTable('registry_default').set({ registry: id }).execute()
    try {
      const { status, body } = await hss.call('DELETE', path)
      expect([status, body.error_code]).toEqual([400, 'HSS.0010'])
      expect(body.error_msg).toContain('default')
    } finally {
      await hss.db.query.updateTable('registry_default').set({ registry: null }).execute()
    }
  })
})

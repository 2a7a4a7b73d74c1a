import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from 'bun:test'
import { BASE, HARBOR, startTestHss, type TestHss } from './test-hss.ts'

setDefaultTimeout(60_000)

const ROOT = BASE.replace(/\/image\/registries$/, '')
const TASKS = `${ROOT}/image/image-sync/tasks`
const IMAGES = `${BASE}/images`
const LIST = `${ROOT}/image/tasks?type=image_sync`

let hss: TestHss
let harbor: string
beforeAll(async () => {
  hss = await startTestHss()
})
afterAll(() => hss.stop())
beforeEach(async () => {
  await hss.db.query.deleteFrom('registry').execute()
  for (const [registry_name, registry_type] of [
    ['one', 'Harbor'],
    ['two', 'Jfrog'],
  ]) {
    const answer = await hss.outcome('POST', BASE, {
      body: { ...HARBOR, registry_name, registry_type },
    })
    expect(answer).toBe('200')
  }
  harbor = await idOf('one')
  // Those that the additions asked for.
  await hss.db.query.deleteFrom('image_sync').execute()
  await hss.db.query
    .insertInto('registry_image')
    .values(
      [1, 2, 3].map((n) => ({
        registry: harbor,
        repository: 'team/deep/App',
        namespace: 'team',
        image_name: 'deep/App',
        tag: `1.${n}`,
        digest: `sha256:${String(n).repeat(64)}`,
        media_type: 'application/vnd.oci.image.index.v1+json',
        size: n * 100,
        is_multiarch: n === 3 ? (1 as const) : (0 as const),
        platforms: '[]',
        children:
          n === 3
            ? JSON.stringify(
                ['4', '5'].map((c) => ({
                  digest: `sha256:${c.repeat(64)}`,
                  platform: 'linux/arm64',
                  size: 1,
                })),
              )
            : '[]',
        latest_version: n === 3 ? (1 as const) : (0 as const),
        updated_at: n * 1_000,
        first_seen_at: 1,
        synced_at: n * 10,
        sync: 1,
        gone_at: null,
      })),
    )
    .execute()
  await hss.db.query
    .insertInto('registry_repository')
    .values({ registry: harbor, repository: 'team/deep/App', listed_by: 1 })
    .execute()
})

const idOf = async (name: string) =>
  (await hss.call('GET', `${BASE}?registry_name=${name}`)).body.data_list[0]?.id ?? 'none'
const tagsOf = async (query: string) => {
  const { body } = await hss.call('GET', `${IMAGES}?${query}`)
  expect(body.error_msg).toBeUndefined()
  expect(body.total_num).toBe(body.data_list.length)
  return body.data_list.map(({ image_version }) => image_version)
}

describe('ListRegistryImages', () => {
  test('shows images with what they are made of', async () => {
    const { body } = await hss.call('GET', `${IMAGES}?latest_version=True`)
    const [only] = body.data_list
    expect(body.total_num).toBe(1)
    expect(only).toEqual({
      id: expect.any(Number),
      namespace: 'team',
      image_name: 'deep/App',
      image_id: '3'.repeat(64),
      image_digest: `sha256:${'3'.repeat(64)}`,
      image_version: '1.3',
      image_type: 'harbor',
      scan_status: 'unscan',
      registry_id: harbor,
      registry_name: 'one',
      registry_type: 'Harbor',
      latest_version: true,
      image_size: 300,
      latest_update_time: 3_000,
      latest_sync_time: 30,
      scannable: false,
      is_multiple_arch: true,
      association_images: ['4', '5'].map((c) => ({
        namespace: 'team',
        image_name: 'deep/App',
        image_id: c.repeat(64),
        image_digest: `sha256:${c.repeat(64)}`,
        image_version: '1.3',
        image_type: 'harbor',
        scan_status: 'unscan',
      })),
    } as never)
  })

  const ALL = ['1.1', '1.2', '1.3']
  test.each([
    ['', ALL],
    ['sort_key=latest_scan_time&sort_dir=desc', [...ALL].reverse()],
    ['namespace=team', ALL],
    ['namespace=tea', []],
    ['image_name=P/aP', ALL],
    ['image_name=other', []],
    ['image_version=1.2', ['1.2']],
    ['registry_name=one', ALL],
    ['registry_name=two', []],
    ['image_type=harbor', ALL],
    ['image_type=jfrog', []],
    ['image_type=shared_image', []],
    ['image_size=200', ['1.2']],
    ['is_multarch=false', ['1.1', '1.2']],
    ['start_latest_update_time=2000', ['1.2', '1.3']],
    ['end_latest_update_time=2000', ['1.1', '1.2']],
    ['start_latest_sync_time=20&end_latest_sync_time=20', ['1.2']],
    ['end_latest_sync_time=9223372036854775807', ALL],
    ['scan_status=unscan', ALL],
    ['scan_status=success', []],
    ['start_latest_scan_time=0', []],
    ['has_vul=true', []],
    ['has_vul=false&risky=false', ALL],
    ['severity_level=High', []],
    ['instance_id=', ALL],
    ['instance_id=x', []],
    ['enterprise_project_id=other', []],
  ])('%s', async (query, expected) => {
    expect(await tagsOf(query)).toEqual(expected)
  })

  test('pages from 1 to 200', async () => {
    const { body } = await hss.call('GET', `${IMAGES}?limit=1&offset=1`)
    expect([body.total_num, body.data_list.map(({ image_version }) => image_version)]).toEqual([
      3,
      ['1.2'],
    ])
  })

  test('what is gone, or of other projects, is not shown', async () => {
    await hss.db.query
      .updateTable('registry_image')
      .set({ gone_at: 1 })
      .where('tag', '=', '1.1')
      .execute()
    expect(await tagsOf('')).toEqual(['1.2', '1.3'])
    await hss.db.query.deleteFrom('registry_project').execute()
    expect(await tagsOf('')).toEqual([])
  })
})

const long = (length: number) => '好'.repeat(length)
const MAX = '9223372036854775807'
const TIMES = ['update', 'scan', 'sync'].flatMap((what) =>
  ['start', 'end'].map((end): [string, string[], string[]] => [
    `${end}_latest_${what}_time`,
    ['0', MAX],
    ['-1', '9223372036854775808', '1.5', 'x', ''],
  ]),
)
const TRUTHS = [
  'latest_version',
  'has_malicious_file',
  'has_unsafe_setting',
  'has_vul',
  'risky',
  'is_multarch',
]
const EPS: [string, string[], string[]] = [
  'enterprise_project_id',
  ['0', 'x'.repeat(256)],
  ['', 'x'.repeat(257)],
]
const OFFSET: [string, string[], string[]] = ['offset', ['0', '2000000'], ['-1', '2000001', '']]
const PAGING: [string, string[], string[]][] = [OFFSET, ['limit', ['10', '200'], ['9', '201']]]

const LIMITS: [string, [string, string[], string[]][]][] = [
  [
    IMAGES,
    [
      EPS,
      OFFSET,
      ['limit', ['1', '200'], ['0', '201', '']],
      ['namespace', ['n', long(128)], ['', long(129)]],
      ['image_name', ['n', long(128)], ['', long(129)]],
      ['image_version', ['n', long(64)], ['', long(65)]],
      ['registry_name', ['n', long(128)], ['', long(129)]],
      ['image_type', ['private_image', 'instance_image'], ['', 'Harbor']],
      ['sort_key', ['latest_scan_time'], ['', 'id']],
      ['sort_dir', ['asc', 'desc'], ['', 'ASC']],
      ['image_size', ['0', '2147483547'], ['-1', '2147483548', '']],
      ['scan_status', ['waiting_for_scan'], ['', 'waiting']],
      ['severity_level', ['Security', 'High'], ['', 'Critical']],
      ['instance_id', ['', long(128)], [long(129)]],
      ['instance_name', ['', long(128)], [long(129)]],
      ...TIMES,
      ...TRUTHS.map((name): [string, string[], string[]] => [
        name,
        ['true', 'false', 'True'],
        ['', '1', 'yes'],
      ]),
    ],
  ],
  [
    LIST,
    [
      EPS,
      ...PAGING,
      ['global_image_type', ['local', 'registry'], ['', 'all']],
      ['task_type', ['cycle', 'manual', 'autoSync', 'manualSync'], ['', 'sync']],
      ['task_name', ['n', long(256)], ['', long(257)]],
      ['task_id', ['n', long(256)], ['', long(257)]],
      ['create_time', ['0', '4070880000000'], ['-1', '4070880000001']],
      ['end_time', ['0', '4070880000000'], ['-1', '4070880000001']],
      ['task_status', ['scanning', 'finished'], ['', 'running']],
      ['scan_scope', ['0', '0x7fffffff', '15'], ['', '1', 'x']],
    ],
  ],
  [`${ROOT}/image/asset/statistics`, [EPS]],
]

describe.each(LIMITS)('limits of %s', (path, fields) => {
  test.each(fields)('%s', async (field, passes, fails) => {
    const ask = (value: string) =>
      hss.call(
        'GET',
        `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams({ [field]: value })}`,
      )
    for (const value of passes) expect([value, (await ask(value)).status]).toEqual([value, 200])
    for (const value of fails) {
      const { body } = await ask(value)
      expect([value, body.error_code]).toEqual([value, 'HSS.0001'])
      expect(body.error_msg).toContain(field)
    }
  })
})

test('the type of tasks is required, and there are no scans', async () => {
  const path = `${ROOT}/image/tasks`
  expect(await hss.outcome('GET', path)).toBe('400 HSS.0001')
  expect(await hss.outcome('GET', `${path}?type=other`)).toBe('400 HSS.0001')
  const { body } = await hss.call('GET', `${path}?type=image_scan`)
  expect(body).toEqual({ total_num: 0, data_list: [] } as never)
})

describe('CreateImageSynchronizeTask', () => {
  const sync = (body: unknown, query = '') => hss.outcome('POST', TASKS + query, { body })
  const tasks = async (query = '') => (await hss.call('GET', LIST + query)).body

  test('takes what it needs', async () => {
    for (const body of [{}, { sync_all_registries: 'true' }, { sync_all_registries: false }]) {
      expect(await sync(body)).toBe('400 HSS.0001')
    }
    const of = (registry_info: unknown) => sync({ sync_all_registries: false, registry_info })
    for (const info of ['x', [], [{}], [{ registry_id: '' }], [{ registry_id: 'x'.repeat(65) }]]) {
      expect([info, await of(info)]).toEqual([info, '400 HSS.0001'])
    }
    expect(await of([{ registry_id: harbor, registry_type: 'harbor' }])).toBe('400 HSS.0001')
    expect(await of([{ registry_id: 'x'.repeat(64) }])).toBe('400 HSS.0011')
    expect(
      await sync({ sync_all_registries: true }, '?enterprise_project_id=all_granted_eps'),
    ).toBe('400 HSS.0001')
    expect((await tasks()).total_num).toBe(0)
    expect(await of([{ registry_id: harbor, registry_type: 'Harbor' }])).toBe('200')
    expect((await tasks()).total_num).toBe(1)
  })

  test('answers 200 with nothing; asked again it joins; the task shows its registries', async () => {
    const { status, text } = await hss.call('POST', TASKS, { body: { sync_all_registries: true } })
    expect([status, text]).toEqual([200, ''])
    expect(await sync({ sync_all_registries: true })).toBe('200')
    const { total_num, data_list } = await tasks()
    expect(total_num).toBe(1)
    const [task] = data_list
    expect(task).toMatchObject({ task_type: 'manualSync', image_type: 'registry', task_status: 0 })
    const id = String(task?.task_id)
    const of = async (query = '') =>
      (await hss.call('GET', `${TASKS}/${id}/registries${query}`)).body.data_list
    expect(
      (await of()).map(({ registry_name, sync_status }) => [registry_name, sync_status]),
    ).toEqual([
      ['one', 'running'],
      ['two', 'running'],
    ])
    expect(await of('?registry_name=two')).toHaveLength(1)
    expect(await of('?registry_type=Harbor')).toHaveLength(1)
    expect(await of('?sync_status=failed')).toEqual([])
    expect(await hss.outcome('GET', `${TASKS}/none/registries`)).toBe('400 HSS.0011')
    expect(await hss.outcome('GET', `${TASKS}/${'x'.repeat(65)}/registries`)).toBe('400 HSS.0001')
    for (const [query, count] of [
      [`&task_id=${id}`, 1],
      ['&task_id=none', 0],
      [`&task_name=SYNC-${id.slice(0, 5)}`, 1],
      ['&task_name=x', 0],
      ['&task_type=autoSync', 0],
      ['&task_type=manualSync', 1],
      ['&task_status=scanning', 1],
      ['&task_status=finished', 0],
      ['&global_image_type=local', 0],
      [`&create_time=${Number(task?.begin_time) + 1}`, 0],
      [`&create_time=${task?.begin_time}`, 1],
      ['&end_time=4070880000000', 0],
    ] as const) {
      expect([query, (await tasks(query)).total_num]).toEqual([query, count])
    }
    await hss.db.query
      .updateTable('image_sync')
      .set({
        state: 'failed',
        finished_at: 5,
        error: 'it is away',
        error_code: 'REQUEST_API_ERROR',
      })
      .execute()
    expect((await of('?sync_status=failed'))[0]).toMatchObject({
      failed_reason: 'REQUEST_API_ERROR: it is away',
    })
    expect((await tasks('&end_time=5&task_status=finished')).data_list[0]).toMatchObject({
      task_status: -3,
      end_time: 5,
      failed_reason: '2 of 2 registries failed',
    })
  })
})

test('ShowImageAssetStatistics counts the images of the registries', async () => {
  await hss.db.query.updateTable('registry').set({ images_num: 40_000 }).execute()
  const { body } = await hss.call('GET', `${ROOT}/image/asset/statistics`)
  expect(body).toEqual({ local_num: 0, cicd_num: 0, registry_num: 80_000 } as never)
})

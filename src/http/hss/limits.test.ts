import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { BASE, HARBOR, startTestHss, type TestHss } from './test-hss.ts'

setDefaultTimeout(60_000)

/*
 * Every limit of every field at both edges, as the vendor documents them. Characters count, not bytes.
 */

let hss: TestHss
beforeAll(async () => {
  hss = await startTestHss()
})
afterAll(() => hss.stop())

const long = (length: number) => '好'.repeat(length)
const host = (length: number) => `${'a'.repeat(length - 4)}.com`

/** [field, values that pass, values that do not] */
const BODY: [string, unknown[], unknown[]][] = [
  ['registry_name', ['n', long(128)], ['', long(129), 1, {}, true]],
  ['registry_type', ['Harbor', 'Jfrog'], ['', 'harbor', 'Other', 'SwrPrivate', 1]],
  ['api_version', ['V1', 'V2'], ['', 'v2', 'V3', 2]],
  ['protocol', ['http', 'https'], ['', 'HTTPS', 'ftp', 1]],
  ['registry_addr', ['a', host(256)], ['', host(257), 'https://a.com', 1]],
  ['registry_username', ['u', long(128)], ['', long(129), 1]],
  ['registry_password', ['p', long(128)], ['', long(129), 1]],
  ['namespace', ['n', long(128)], ['', long(129), 1]],
  ['connect_cluster_id', ['local'], ['', 'x'.repeat(64), 'x'.repeat(65), 1]],
  ['get_scan_image_channel', ['Swr', 'Other'], ['', 'swr', 'SWR', 1]],
]
const ENTERPRISE: [string, string[], string[]] = [
  'enterprise_project_id',
  ['0', 'x', 'x'.repeat(256)],
  ['', 'x'.repeat(257)],
]
const QUERY: [string, string[], string[]][] = [
  ENTERPRISE,
  ['offset', ['0', '2000000'], ['-1', '2000001', '', 'x', '1.5', '0x10']],
  ['limit', ['10', '200'], ['9', '201', '', 'x', '1e2']],
  ['registry_name', ['n', long(128)], ['', long(129)]],
  ['registry_id', ['n', 'x'.repeat(64)], ['', 'x'.repeat(65)]],
  [
    'registry_type',
    ['SwrPrivate', 'SwrShared', 'SwrEnterprise', 'Harbor', 'Jfrog', 'Other', 'Harbor,Jfrog'],
    ['', 'harbor', 'Harbor,', 'Harbor;Jfrog'],
  ],
  ['registry_addr', ['a', host(256)], ['', host(257)]],
  ['status', ['success', 'fail', 'accessing'], ['', 'ok', 'success,fail']],
]

let count = 0

/** Of one of the passes; the name is another one each time. */
const add = (field: string, value: unknown) =>
  hss.call('POST', BASE, {
    body: {
      ...HARBOR,
      registry_name: `limits-${++count}`,
      // Nothing else about it depends on another field.
      ...(field === 'namespace' ? {} : { namespace: 'n' }),
      [field]: value,
    },
  })

describe.each(BODY)('AddRegistry %s', (field, passes, fails) => {
  test('within its limits', async () => {
    for (const value of passes) {
      const { status, body } = await add(field, value)
      expect([field, status, body.error_msg]).toEqual([field, 200, undefined as never])
    }
  })

  test('beyond them, and missing', async () => {
    for (const value of [...fails, ...(field === 'namespace' ? [] : [null, undefined])]) {
      const { status, body } = await add(field, value)
      expect([value, status, body.error_code]).toEqual([value, 400, 'HSS.0001'])
      expect(body.error_msg).toContain(field)
    }
  })
})

describe('UpdateRegistry', () => {
  const names = ['registry_name', 'registry_type']

  test.each(BODY.filter(([field]) => !names.includes(field)))(
    '%s',
    async (field, passes, fails) => {
      await add('registry_username', 'u')
      const { body } = await hss.call('GET', `${BASE}?registry_name=limits-${count}`)
      const path = `${BASE}/${body.data_list[0]?.id}`
      const put = (value: unknown) =>
        hss.call('PUT', path, { body: { registry_password: 'p', [field]: value } })
      for (const value of [...passes, null]) expect((await put(value)).text).toBe('')
      for (const value of fails) {
        const answer = await put(value)
        expect([value, answer.body.error_code]).toEqual([value, 'HSS.0001'])
        expect(answer.body.error_msg).toContain(field)
      }
    },
  )

  test.each(['PUT', 'DELETE'])('the id of %s', async (method) => {
    const body = method === 'PUT' ? { body: {} } : {}
    for (const [id, code] of [
      ['x', '400 HSS.0011'],
      ['x'.repeat(64), '400 HSS.0011'],
      ['x'.repeat(65), '400 HSS.0001'],
    ] as const) {
      expect(await hss.outcome(method, `${BASE}/${id}`, body)).toBe(code)
    }
  })
})

test('ids of BatchDeleteRegistry', async () => {
  const of = (ids: unknown) => hss.outcome('POST', `${BASE}/batch-delete`, { body: { ids } })
  const many = Array.from({ length: 100 }, (_, i) => `id-${i}`)
  for (const ids of [['x'], ['x'.repeat(64)], many]) expect(await of(ids)).toBe('400 HSS.0011')
  for (const ids of [undefined, null, [], 'x', [''], ['x'.repeat(65)], [1], [...many, 'x']]) {
    expect([ids, await of(ids)]).toEqual([ids, '400 HSS.0001'])
  }
})

const withQuery = (path: string, field: string, value: string) =>
  `${path}?${new URLSearchParams({ [field]: value })}`

describe('ListRegistry', () => {
  test.each(QUERY)('%s', async (field, passes, fails) => {
    for (const value of passes) {
      expect([value, await hss.outcome('GET', withQuery(BASE, field, value))]).toEqual([
        value,
        '200',
      ])
    }
    for (const value of fails) {
      const { body } = await hss.call('GET', withQuery(BASE, field, value))
      expect([value, body.error_code]).toEqual([value, 'HSS.0001'])
      expect(body.error_msg).toContain(field)
    }
    const twice = `${withQuery(BASE, field, passes[0] ?? '')}&${field}=1`
    expect(await hss.outcome('GET', twice)).toBe('400 HSS.0001')
  })
})

describe('enterprise_project_id', () => {
  const [field, passes, fails] = ENTERPRISE
  const calls: [string, string, object | undefined, string][] = [
    ['POST', BASE, {}, '400 HSS.0001'],
    ['GET', `${BASE}/statistics`, undefined, '200'],
    ['PUT', `${BASE}/none`, {}, '400 HSS.0011'],
    ['DELETE', `${BASE}/none`, undefined, '400 HSS.0011'],
    ['POST', `${BASE}/batch-delete`, { ids: ['none'] }, '400 HSS.0011'],
  ]

  test.each(calls)('%s %s', async (method, path, body, outcome) => {
    const asked = body ? { body } : {}
    for (const value of passes) {
      expect(await hss.outcome(method, withQuery(path, field, value), asked)).toBe(outcome)
    }
    const beyond = method === 'GET' ? fails : [...fails, 'all_granted_eps']
    for (const value of beyond) {
      const answer = await hss.call(method, withQuery(path, field, value), asked)
      expect([value, answer.body.error_code]).toEqual([value, 'HSS.0001'])
      if (path !== BASE) expect(answer.body.error_msg).toContain(field)
    }
  })
})

test('project_id', async () => {
  const of = (id: string) => hss.outcome('GET', `/v5/${id}/image/registries`)
  expect(await of('x'.repeat(256))).toBe('400 HSS.0011')
  expect(await of('x'.repeat(257))).toBe('400 HSS.0001')
})

test('statistics by type', async () => {
  const of = (type: string) =>
    hss.outcome('GET', withQuery(`${BASE}/statistics`, 'registry_type', type))
  expect(await of('Harbor,Other')).toBe('200')
  expect(await of('harbor')).toBe('400 HSS.0001')
})

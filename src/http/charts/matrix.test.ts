import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { basic, PASSWORD } from '../../accounts/test-accounts.ts'
import { chartOf } from '../../charts/test-charts.ts'
import { CHART_ROUTES, type ChartRoute } from './routes.ts'
import { createTestCharts, ROLES, type TestCharts } from './test-charts.ts'

/*
 * Every route × everybody, in a private and in a public project. Who may is written out by hand:
 * the tables of routes and permissions are what is tested.
 */

const EVERYBODY = ['anonymous', 'stranger', 'foreign robot', ...ROLES, 'robot', 'root']
const READERS = [...ROLES, 'robot', 'root']
const DEVELOPERS = ['developer', 'maintainer', 'admin', 'robot', 'root']
const MAINTAINERS = ['maintainer', 'admin', 'root']
const WHO: Record<string, readonly string[]> = {
  ...Object.fromEntries(['health', 'info'].map((name) => [name, EVERYBODY])),
  ...Object.fromEntries(
    ['index', 'file', 'list', 'chart', 'version', 'templates', 'values', 'readme'].map((name) => [
      name,
      READERS,
    ]),
  ),
  upload: DEVELOPERS,
  sign: DEVELOPERS,
  'version.delete': MAINTAINERS,
  'chart.delete': MAINTAINERS,
}

let charts: TestCharts
const credentials = new Map<string, string | null>([['anonymous', null]])

beforeAll(async () => {
  charts = await createTestCharts()
  const files = { 'README.md': 'hi', 'values.yaml': 'a: 1' }
  for (const name of ['private', 'public', 'foreign']) {
    const id = await charts.project(name, { isPublic: name === 'public' })
    await charts.upload(`/charts/api/${name}/charts`, chartOf({ files }))
    const { robot, secret } = await charts.accounts.robots.create(id, {
      name: 'ci',
      roles: [{ project: id, role: 'developer' }],
    })
    if (name === 'private') credentials.set('robot', basic(robot.name, secret))
    if (name === 'foreign') credentials.set('foreign robot', basic(robot.name, secret))
  }
  for (const name of ['stranger', 'root', ...ROLES]) credentials.set(name, name)
  // Proven once; the clock of the test stands still.
  for (const as of credentials.values()) await charts.call('GET', '/charts/health', { as })
})
afterAll(() => charts.remove())

/** A request that changes nothing where it may: uploads are no charts, deletions find none. */
function ask({ method, path }: ChartRoute, identity: string, project: string) {
  const isChange = method !== 'GET'
  const asked = path
    .replace('{repository}', project)
    .replace('{file}', 'harbour-1.0.0.tgz')
    .replace('{chart}', isChange ? 'none' : 'harbour')
    .replace('{version}', '1.0.0')
  const body = method === 'POST' ? { body: 'no chart' } : {}
  return charts.call(method, asked, { as: credentials.get(identity) ?? null, ...body })
}

function verdict(status: number, method: string): string {
  if (status === 401) return 'sign in'
  if (status === 403) return 'denied'
  const passed = { GET: 200, POST: 400, DELETE: 404 }[method]
  return status === passed ? 'passed' : String(status)
}

function expected({ name, method }: ChartRoute, identity: string, isPublic: boolean): string {
  const isMember = identity !== 'robot' || !isPublic
  if (isPublic && method === 'GET') return 'passed'
  if (isMember && WHO[name]?.includes(identity)) return 'passed'
  return identity === 'anonymous' ? 'sign in' : 'denied'
}

describe.each(CHART_ROUTES.map((route) => [`${route.method} ${route.path}`, route] as const))(
  '%s',
  (_, route) => {
    test('passes whom it should, in a private and in a public project', async () => {
      const found: string[] = []
      const wanted: string[] = []
      for (const project of ['private', 'public']) {
        for (const identity of EVERYBODY) {
          const row = `${identity} in ${project}: `
          found.push(row + verdict((await ask(route, identity, project)).status, route.method))
          wanted.push(row + expected(route, identity, project === 'public'))
        }
      }
      expect(found).toEqual(wanted)
    })
  },
)

test('who may not create projects cannot tell a private one from none', async () => {
  for (const route of CHART_ROUTES.filter(({ action }) => action !== null)) {
    for (const identity of ['anonymous', 'foreign robot']) {
      const [there, absent] = [
        await ask(route, identity, 'private'),
        await ask(route, identity, 'privatf'),
      ]
      expect(absent.text.replaceAll('privatf', 'private')).toBe(there.text)
      expect(absent.status).toBe(there.status)
    }
  }
})

test('a registry token is good for /v2 only', async () => {
  const { authenticator, registryTokens } = charts.accounts
  const root = await authenticator.authenticateApi(basic('root', PASSWORD), '192.0.2.7')
  const access = [{ type: 'repository' as const, name: 'private/harbour', actions: ['pull'] }]
  const { token } = await registryTokens.issue(root, access, 'registry.example.com')
  const as = `Bearer ${token}`
  expect((await charts.call('GET', '/charts/private/index.yaml', { as })).status).toBe(401)
})

test('every route is written out here', () => {
  expect(Object.keys(WHO).sort()).toEqual([...new Set(CHART_ROUTES.map(({ name }) => name))].sort())
})

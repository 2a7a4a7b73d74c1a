import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { basic } from '../../accounts/test-accounts.ts'
import type { ApiRoute } from './route.ts'
import { API_ROUTES } from './routes.ts'
import { createTestApi, type TestApi } from './test-api.ts'

/*
 * Every route × everybody, in a private project, in a public one and in one that does not exist.
 * Who may is written out by hand: the tables of routes and permissions are what is tested.
 */

const ROLES = ['guest', 'developer', 'maintainer', 'admin'] as const
const MEMBERS = [...ROLES, 'robot']
const EVERYBODY = ['anonymous', 'stranger', 'foreign robot', ...MEMBERS, 'root']
const SIGNED_IN = EVERYBODY.slice(1)
const ADMINS = ['root']
const PROJECT_ADMINS = ['admin', 'root']
const MAINTAINERS = ['maintainer', ...PROJECT_ADMINS]
/** The robot of the project is a developer. */
const DEVELOPERS = ['developer', 'robot', ...MAINTAINERS]

const READERS = [...MEMBERS, 'root']
const PEOPLE = SIGNED_IN.filter((name) => !name.endsWith('robot'))

/** Who may, in a private project. */
const WHO: [readonly string[], string[]][] = [
  [EVERYBODY, ['project.list', 'system.openapi', 'system.overview']],
  [EVERYBODY, ['system.usage', 'search.names']],
  [EVERYBODY, ['session.create', 'session.get', 'session.delete']],
  [SIGNED_IN, ['me.get', 'system.info', 'token.list', 'token.delete']],
  [SIGNED_IN, ['me.password', 'token.create', 'registry.list', 'registry.get']],
  [SIGNED_IN, ['access-key.list', 'access-key.create', 'access-key.update', 'access-key.delete']],
  [SIGNED_IN, ['image.list', 'registry-image.list', 'registry-sync.list']],
  [ADMINS, ['registry-sync.create']],
  [SIGNED_IN, ['registry-trust.list', 'registry-trust.get']],
  [SIGNED_IN, ['registry-repository.list', 'registry-tag.list', 'registry-image.get']],
  [SIGNED_IN, ['transfer.list', 'transfer.create', 'transfer.get']],
  [SIGNED_IN, ['transfer.cancel', 'transfer.retry', 'event.stream']],
  [PEOPLE, ['project.create']],
  [READERS, ['project.get', 'project.usage', 'member.list', 'repository.list', 'repository.get']],
  [READERS, ['artifact.list', 'artifact.get', 'tag.list', 'tag.get', 'tag.history']],
  [READERS, ['artifact.manifest', 'artifact.referrers', 'chart.list', 'chart.get']],
  [DEVELOPERS, ['repository.create', 'handout.create', 'handout.pullSecret']],
  [MAINTAINERS, ['repository.update', 'repository.delete']],
  [MAINTAINERS, ['artifact.delete', 'tag.update', 'tag.delete']],
  [PROJECT_ADMINS, ['project.update', 'project.delete', 'member.update', 'member.delete']],
  [PROJECT_ADMINS, ['robot.list', 'robot.create', 'robot.get', 'robot.update']],
  [PROJECT_ADMINS, ['robot.rotate', 'robot.delete']],
  [PROJECT_ADMINS, ['robot-access-key.list', 'robot-access-key.create']],
  [PROJECT_ADMINS, ['robot-access-key.delete']],
  [ADMINS, ['user.list', 'user.create', 'user.get', 'user.update', 'user.password', 'user.delete']],
  [ADMINS, ['system-robot.list', 'system-robot.create', 'system-robot.get']],
  [ADMINS, ['system-robot.update', 'system-robot.rotate', 'system-robot.delete']],
  [ADMINS, ['system-robot-access-key.list', 'system-robot-access-key.create']],
  [ADMINS, ['system-robot-access-key.delete']],
  [ADMINS, ['registry.create', 'registry.update', 'registry.delete', 'registry.promote']],
  [ADMINS, ['registry-use.list', 'registry-use.delete']],
  [ADMINS, ['registry-test.draft', 'registry-test.run', 'registry-test.get']],
  [ADMINS, ['runner.list', 'runner.create', 'runner.get', 'runner.delete']],
  [ADMINS, ['runner.invite', 'runner.revoke']],
  [EVERYBODY, ['runner-enrolment.use']],
  // With a credential of their own, which nobody here has.
  [[], ['runner-credential.rotate', 'runner-task.lease', 'runner-task.hold']],
  [[], ['runner-task.known', 'runner-task.page', 'runner-task.token', 'runner-task.end']],
  [ADMINS, ['audit.list', 'job.list', 'job.get', 'job.cancel', 'job.retry']],
]
/** Everybody may in a public project. */
const PUBLIC = [
  ...[
    'project.get',
    'project.usage',
    'repository.list',
    'repository.get',
    'artifact.list',
    'artifact.get',
  ],
  ...['tag.list', 'tag.get', 'tag.history', 'artifact.manifest', 'artifact.referrers'],
  ...['chart.list', 'chart.get'],
]

const whoMay = (route: string) => WHO.find(([, routes]) => routes.includes(route))?.[0] ?? []

let api: TestApi
const credentials = new Map<string, string | undefined>([['anonymous', undefined]])

beforeAll(async () => {
  api = await createTestApi()
  for (const name of ['stranger', ...ROLES]) {
    await api.accounts.createUser(name)
    credentials.set(name, name)
  }
  credentials.set('root', 'root')
  for (const name of ['private', 'public', 'foreign']) {
    const body = { name, public: name === 'public' }
    await api.expect(201, 'POST', '/projects', { as: 'root', body })
    if (name === 'foreign') continue
    for (const role of ROLES) {
      await api.expect(200, 'PUT', `/projects/${name}/members/${role}`, {
        as: 'root',
        body: { role },
      })
    }
  }
  for (const [identity, project] of [
    ['robot', 'private'],
    ['foreign robot', 'foreign'],
  ] as const) {
    const body = { name: 'ci', role: 'developer' }
    const robot = await api.expect(201, 'POST', `/projects/${project}/robots`, { as: 'root', body })
    credentials.set(identity, basic(`${project}+ci`, String(robot.body.secret)))
  }
  // Proven once; the clock of the test stands still.
  for (const as of credentials.values()) await api.call('GET', '/me', { as })
})
afterAll(() => api.remove())

/** A request that finds nothing to change even where it may. */
function ask(route: ApiRoute, identity: string, project: string) {
  const path = route.path
    .replace('{project}', project)
    .replace('{repository}', 'none')
    .replace('{digest}', `sha256:${'0'.repeat(64)}`)
    .replace('{account}', 'nobody')
    .replace('{user}', 'nobody')
    .replace('{tag}', 'none')
    .replace(/\{\w+\}/, '999999')
    // What may be followed goes on for ever, unless it is asked in a wrong way.
    .replace(/^\/events$/, '/events?unknown=1')
  const as = credentials.get(identity)
  // A body that no route takes, so that a pass shows as 400 and nothing is changed.
  const body = route.takesBody ? { nothing: 'of this' } : undefined
  const headers = { 'if-match': '"none"' }
  const changes = route.method !== 'GET'
  return api.call(route.method, path, { as, body, ...(changes ? { headers } : {}) })
}

/** Whether the gate let it pass; what came then is what the resource said. */
function verdict({ status, body }: Awaited<ReturnType<typeof ask>>): string {
  if (status < 400) return 'passed'
  if (status === 401) return 'unauthenticated'
  if (status === 403) return 'denied'
  return body.code === 'project_unknown' ? 'hidden' : 'passed'
}

function expected({ name, on }: ApiRoute, identity: string, isPublic: boolean): string {
  const everybody = isPublic && PUBLIC.includes(name)
  // The robot is a member of the private project only.
  const counts = on === 'system' || !isPublic || identity !== 'robot'
  if (everybody || (counts && whoMay(name).includes(identity))) return 'passed'
  if (identity === 'anonymous' || on === 'runner') return 'unauthenticated'
  return on === 'system' || isPublic || READERS.includes(identity) ? 'denied' : 'hidden'
}

describe.each(API_ROUTES.map((route) => [`${route.method} ${route.path}`, route] as const))(
  '%s',
  (_, route) => {
    test('passes whom it should, in a private and in a public project', async () => {
      const found: string[] = []
      const wanted: string[] = []
      for (const project of ['private', 'public']) {
        for (const identity of EVERYBODY) {
          const row = `${identity} in ${project}: `
          found.push(row + verdict(await ask(route, identity, project)))
          wanted.push(row + expected(route, identity, project === 'public'))
        }
      }
      expect(found).toEqual(wanted)
    })

    test('answers strangers alike for a private project and for none', async () => {
      for (const identity of ['anonymous', 'stranger', 'foreign robot']) {
        const [there, absent] = await Promise.all([
          ask(route, identity, 'private'),
          ask(route, identity, 'privatf'),
        ])
        expect(absent.text.replaceAll('privatf', 'private')).toBe(there.text)
        expect(absent.status).toBe(there.status)
      }
    })
  },
)

test('every route is written out here', () => {
  const written = WHO.flatMap(([, routes]) => routes)
  expect(written.sort()).toEqual(API_ROUTES.map(({ name }) => name).sort())
})

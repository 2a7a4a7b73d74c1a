import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { Action } from '../accounts/permissions.ts'
import { API_ROUTES } from './api/routes.ts'
import { digestOf, pushBlob, pushImage } from './test-content.ts'
import {
  BEHIND_PROXY,
  createIdentities,
  createProjects,
  createSessions,
  fromElsewhere,
  type Identity,
  mayDo,
  PRIVATE,
  PUBLIC,
} from './test-identities.ts'
import { startTestServer, type TestServer } from './test-server.ts'
import type { Wire, WireResponse } from './test-wire.ts'

setDefaultTimeout(60_000)

/*
 * Every route of /api/v1 × everybody × a private and a public project. What each route needs is
 * written here, who may what in test-identities.ts. Requests of those who may are made so that
 * they change nothing: a body with an unknown field, or a target that is not there.
 */

let server: TestServer
let wire: Wire
let identities: Identity[]
let digest: string
beforeAll(async () => {
  server = await startTestServer(BEHIND_PROXY)
  wire = server.connect()
  await createProjects(server, async (repository) => {
    await pushBlob(wire, server.admin, repository, '{}')
    digest = (await pushImage(wire, server.admin, repository, 'latest')).digest
  })
  identities = [...(await createIdentities(server, wire)), ...(await createSessions(wire))]
})
afterAll(() => server.stop())

type Needs = Action | 'open' | 'signed-in' | 'runner'

const PROJECT = '/projects/{project}'
const REPOSITORY = `${PROJECT}/repositories/{repository}`

/** What a route needs; a project or a repository in its path is what it needs it in. */
const NEEDS: Record<string, Needs> = {
  'GET /projects': 'open',
  'POST /projects': 'project:create',
  [`GET ${PROJECT}`]: 'project:read',
  [`PATCH ${PROJECT}`]: 'project:update',
  [`DELETE ${PROJECT}`]: 'project:delete',
  [`GET ${PROJECT}/members`]: 'member:read',
  [`PUT ${PROJECT}/members/{account}`]: 'member:manage',
  [`DELETE ${PROJECT}/members/{account}`]: 'member:manage',
  [`GET ${PROJECT}/robots`]: 'robot:manage',
  [`POST ${PROJECT}/robots`]: 'robot:manage',
  [`GET ${PROJECT}/robots/{robot}`]: 'robot:manage',
  [`PATCH ${PROJECT}/robots/{robot}`]: 'robot:manage',
  [`POST ${PROJECT}/robots/{robot}/rotate`]: 'robot:manage',
  [`DELETE ${PROJECT}/robots/{robot}`]: 'robot:manage',
  [`GET ${PROJECT}/repositories`]: 'project:read',
  [`POST ${PROJECT}/repositories`]: 'repository:push',
  [`GET ${REPOSITORY}`]: 'repository:pull',
  [`PATCH ${REPOSITORY}`]: 'repository:update',
  [`DELETE ${REPOSITORY}`]: 'repository:delete',
  [`GET ${REPOSITORY}/artifacts`]: 'repository:pull',
  [`GET ${REPOSITORY}/artifacts/{digest}`]: 'repository:pull',
  [`GET ${REPOSITORY}/artifacts/{digest}/manifest`]: 'repository:pull',
  [`GET ${REPOSITORY}/artifacts/{digest}/referrers`]: 'repository:pull',
  [`GET ${REPOSITORY}/chart-versions`]: 'repository:pull',
  [`GET ${REPOSITORY}/chart-versions/{version}`]: 'repository:pull',
  [`DELETE ${REPOSITORY}/artifacts/{digest}`]: 'repository:delete',
  [`GET ${REPOSITORY}/tags`]: 'repository:pull',
  [`GET ${REPOSITORY}/tags/{tag}`]: 'repository:pull',
  [`PATCH ${REPOSITORY}/tags/{tag}`]: 'tag:protect',
  [`DELETE ${REPOSITORY}/tags/{tag}`]: 'repository:delete',
  [`GET ${REPOSITORY}/tags/{tag}/history`]: 'repository:pull',
  'POST /session': 'open',
  'GET /session': 'open',
  'DELETE /session': 'open',
  'GET /transfers': 'signed-in',
  'POST /transfers': 'signed-in',
  'GET /transfers/{transfer}': 'signed-in',
  'POST /transfers/{transfer}/cancel': 'signed-in',
  'POST /transfers/{transfer}/retry': 'signed-in',
  'GET /events': 'signed-in',
  'GET /me': 'signed-in',
  'PATCH /me/password': 'signed-in',
  'GET /tokens': 'signed-in',
  'POST /tokens': 'signed-in',
  'DELETE /tokens/{token}': 'signed-in',
  'GET /me/access-keys': 'signed-in',
  'POST /me/access-keys': 'signed-in',
  'PATCH /me/access-keys/{key}': 'signed-in',
  'DELETE /me/access-keys/{key}': 'signed-in',
  [`GET ${PROJECT}/robots/{robot}/access-keys`]: 'robot:manage',
  [`POST ${PROJECT}/robots/{robot}/access-keys`]: 'robot:manage',
  [`DELETE ${PROJECT}/robots/{robot}/access-keys/{key}`]: 'robot:manage',
  'GET /robots/{robot}/access-keys': 'account:manage',
  'POST /robots/{robot}/access-keys': 'account:manage',
  'DELETE /robots/{robot}/access-keys/{key}': 'account:manage',
  [`POST ${PROJECT}/handouts`]: 'registry:use',
  [`POST ${PROJECT}/handouts/pull-secret`]: 'registry:use',
  'GET /registries': 'registry:read',
  'GET /registries/trust': 'registry:read',
  'GET /registries/{registry}/trust': 'registry:read',
  'POST /registries': 'registry:manage',
  'GET /registries/{registry}': 'registry:read',
  'PATCH /registries/{registry}': 'registry:manage',
  'DELETE /registries/{registry}': 'registry:manage',
  'GET /images': 'registry:read',
  'GET /registries/{registry}/images': 'registry:read',
  'POST /registries/{registry}/sync': 'registry:manage',
  'GET /registries/{registry}/syncs': 'registry:read',
  'POST /registries/{registry}/default': 'registry:manage',
  'POST /registries/test': 'registry:manage',
  'POST /registries/{registry}/test': 'registry:manage',
  'GET /registries/{registry}/test': 'registry:manage',
  'GET /registries/{registry}/repositories': 'registry:read',
  'GET /registries/{registry}/tags': 'registry:read',
  'GET /registries/{registry}/image': 'registry:read',
  'GET /registries/{registry}/uses': 'registry:manage',
  'DELETE /registries/{registry}/uses/{use}': 'registry:manage',
  'GET /runners': 'runner:manage',
  'POST /runners': 'runner:manage',
  'GET /runners/{runner}': 'runner:manage',
  'POST /runners/{runner}/enrolment': 'runner:manage',
  'POST /runners/{runner}/revoke': 'runner:manage',
  'DELETE /runners/{runner}': 'runner:manage',
  'POST /runners/enrol': 'open',
  'POST /runners/self/credential': 'runner',
  'POST /runners/self/lease': 'runner',
  'POST /runners/self/heartbeat': 'runner',
  'POST /runners/self/tasks/{task}/known': 'runner',
  'POST /runners/self/tasks/{task}/pages': 'runner',
  'POST /runners/self/tasks/{task}/token': 'runner',
  'POST /runners/self/tasks/{task}/result': 'runner',
  'GET /users': 'account:manage',
  'POST /users': 'account:manage',
  'GET /users/{user}': 'account:manage',
  'PATCH /users/{user}': 'account:manage',
  'PUT /users/{user}/password': 'account:manage',
  'DELETE /users/{user}': 'account:manage',
  'GET /robots': 'account:manage',
  'POST /robots': 'account:manage',
  'GET /robots/{robot}': 'account:manage',
  'PATCH /robots/{robot}': 'account:manage',
  'POST /robots/{robot}/rotate': 'account:manage',
  'DELETE /robots/{robot}': 'account:manage',
  'GET /audit': 'system:read',
  'GET /jobs': 'system:read',
  'GET /jobs/{job}': 'system:read',
  'POST /jobs/{job}/cancel': 'system:manage',
  'POST /jobs/{job}/retry': 'system:manage',
  'GET /openapi.json': 'open',
  'GET /overview': 'open',
  'GET /usage': 'open',
  'GET /search': 'open',
  [`GET ${PROJECT}/usage`]: 'project:read',
  'GET /system/info': 'signed-in',
}

/** Something that is not there, so that who may delete it deletes nothing. */
const NOBODY = '999999999'

function pathOf(method: string, path: string, project: string): string {
  const isThere = method !== 'DELETE'
  // A project with repositories cannot be deleted.
  const values: Record<string, string> = {
    project,
    repository: 'app',
    tag: isThere ? 'latest' : 'absent',
    digest: isThere ? digest : digestOf('absent'),
  }
  if (method === 'DELETE' && path === REPOSITORY) values.repository = 'absent'
  // A parameter that it does not know, else everybody would be signed out after it.
  if (method === 'DELETE' && path === '/session') return '/api/v1/session?unknown=1'
  // What may be followed goes on for ever: a parameter that it does not know ends it at once.
  if (path === '/events') return '/api/v1/events?unknown=1'
  return `/api/v1${path.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? NOBODY)}`
}

async function ask(method: string, path: string, identity: Identity): Promise<WireResponse> {
  const writes = method !== 'GET' && method !== 'HEAD' && method !== 'DELETE'
  const body = writes ? '{"no such field":true}' : undefined
  return wire.request(method, path, {
    as: identity.header,
    headers: {
      'content-type': 'application/json',
      ...identity.cookie,
      ...fromElsewhere(identity),
    },
    ...(body === undefined ? {} : { body }),
  })
}

type Outcome = 'allowed' | 'sign in' | 'denied' | 'not found'

function expectedOf(
  identity: Identity,
  needs: Needs,
  project: string,
  { method, path } = { method: 'GET', path: '' },
): Outcome {
  // People and robots are no runners, whatever they may otherwise.
  if (needs === 'runner') return 'sign in'
  // Who signs in or out may hold a cookie that is good no more.
  if (identity.isEndedSession && path === '/session') return 'allowed'
  if (identity.lacksCsrf && method !== 'GET') return 'denied'
  // Registry tokens are good for /v2 alone, also those of nobody.
  if (identity.isVoid || identity.isRegistryToken) return 'sign in'
  if (needs === 'open') return 'allowed'
  if (identity.isAnonymous && needs === 'signed-in') return 'sign in'
  if (needs === 'signed-in' || mayDo(identity, needs, project)) return 'allowed'
  if (identity.isAnonymous) return 'sign in'
  // Of a project that one may not look at one is not told that it is there.
  const mayLook = project === '' || mayDo(identity, 'project:read', project)
  return mayLook ? 'denied' : 'not found'
}

function seen(answer: WireResponse, isHead: boolean): Outcome | string {
  const { status } = answer
  if (status === 401) return answer.header('www-authenticate') ? 'sign in' : '401 without challenge'
  if (status >= 500) return `${status}`
  if (isHead) return status === 403 ? 'denied' : status === 404 ? 'not found' : 'allowed'
  if (status === 204) return 'allowed'
  if (status >= 400 && answer.header('content-type') !== 'application/problem+json') {
    return `${status} as ${answer.header('content-type')}`
  }
  const { code } = answer.json<{ code?: string }>()
  if (status === 403) return code === 'denied' ? 'denied' : `403 ${code}`
  return code === 'project_unknown' ? 'not found' : 'allowed'
}

const ROUTES = Object.entries(NEEDS).map(([route, needs]) => {
  const [method = '', path = ''] = route.split(' ')
  return { route, method, path, needs }
})

test('the routes that are expected are those that there are', () => {
  const routes = API_ROUTES.map(({ method, path }) => `${method} ${path}`)
  expect(Object.keys(NEEDS).sort()).toEqual(routes.sort())
})

async function tryEverybody(
  { method, path, needs }: (typeof ROUTES)[number],
  project: string,
): Promise<string[]> {
  const wrong: string[] = []
  const gets = method === 'GET' ? ['GET', 'HEAD'] : [method]
  for (const identity of identities) {
    // A password that is no good costs a hash each time.
    for (const used of identity.isVoid ? [method] : gets) {
      const expected = expectedOf(identity, needs, project, { method, path })
      const answer = await ask(used, pathOf(method, path, project), identity)
      const outcome = seen(answer, used === 'HEAD')
      // Of something that is not there HEAD says no more than 404.
      const isGone = used === 'HEAD' && outcome === 'not found' && expected === 'allowed'
      if (outcome !== expected && !(isGone && /\}$|\{(registry|robot|digest)\}/.test(path))) {
        wrong.push(`${identity.name}, ${used}: ${outcome} instead of ${expected}`)
      }
    }
  }
  return wrong
}

describe.each([PRIVATE, PUBLIC])('in %s', (project) => {
  const inProjects = ROUTES.filter(({ path }) => path.startsWith(PROJECT))
  test.each(inProjects)('$route', async (route) => {
    expect(await tryEverybody(route, project)).toEqual([])
  })
})

describe('in the system', () => {
  const others = ROUTES.filter(({ path }) => !path.startsWith(PROJECT))
  test.each(others)('$route', async (route) => {
    expect(await tryEverybody(route, '')).toEqual([])
  })
})

test('a missing project answers as a hidden one', async () => {
  const stranger = identities.find(({ name }) => name === 'stranger')
  if (!stranger) throw new Error('no stranger')
  const missing = PRIVATE.replace('matrix', 'absent')
  for (const { method, path } of ROUTES.filter((route) => route.path.startsWith(PROJECT))) {
    for (const identity of [stranger, { name: 'anonymous', header: undefined }]) {
      const answers = []
      for (const project of [PRIVATE, missing]) {
        const answer = await ask(method, pathOf(method, path, project), identity)
        const body = answer.json()
        delete body.requestId
        answers.push(JSON.stringify([answer.status, body]).replaceAll(project, '<project>'))
      }
      expect([method, path, answers[0]]).toEqual([method, path, answers[1]])
    }
  }
})

test('lists show what the caller may see', async () => {
  for (const identity of identities) {
    if (expectedOf(identity, 'open', '') !== 'allowed') continue
    const answer = await ask('GET', '/api/v1/projects', identity)
    const { items } = answer.json<{ items: { name: string }[] }>()
    const names = items.map(({ name }) => name).filter((name) => name.startsWith('matrix-'))
    const visible = [PRIVATE, PUBLIC, 'matrix-other'].filter((project) =>
      mayDo(identity, 'project:read', project),
    )
    expect([identity.name, names]).toEqual([identity.name, visible.sort()])
  }
})

test('robots cannot make tokens nor change a password', async () => {
  const robot = identities.find(({ isRobot, isRegistryToken }) => isRobot && !isRegistryToken)
  const headers = { 'content-type': 'application/json' }
  const made = await wire.request('POST', '/api/v1/tokens', {
    as: robot?.header,
    headers,
    body: '{"name":"mine"}',
  })
  expect(made.status).toBe(403)
  const changed = await wire.request('PATCH', '/api/v1/me/password', {
    as: robot?.header,
    headers,
    body: '{"currentPassword":"Correct-horse-1","newPassword":"Correct-horse-2"}',
  })
  expect([400, 401, 403]).toContain(changed.status)
})

test('a session is good for /api/v1 only', async () => {
  const session = identities.find(({ name }) => name === 'system admin, session')
  for (const path of ['/v2/', `/v2/${PRIVATE}/app/tags/list`, '/metrics']) {
    const answer = await wire.request('GET', path, { headers: { ...session?.cookie } })
    expect([path, answer.status]).toEqual([path, 401])
  }
})

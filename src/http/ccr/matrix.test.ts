import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { Action } from '../../accounts/permissions.ts'
import { digestOf, pushBlob, pushImage } from '../test-content.ts'
import {
  BEHIND_PROXY,
  createIdentities,
  createProjects,
  fromElsewhere,
  type Identity,
  mayDo,
  PRIVATE,
  PUBLIC,
} from '../test-identities.ts'
import { CCR_ROUTES } from './routes.ts'
import { type CcrAnswer, startTestCcr, type TestCcr } from './test-ccr.ts'

setDefaultTimeout(60_000)

/*
 * Every call of CCR × everybody × a private and a public project. What each call needs is written
 * here, who may what in test-identities.ts. Requests of those who may change nothing: their body is
 * wrong, or their target is not there.
 */

let ccr: TestCcr
let identities: Identity[]
beforeAll(async () => {
  ccr = await startTestCcr(BEHIND_PROXY)
  const wire = ccr.connect()
  await createProjects(ccr, async (repository) => {
    await pushBlob(wire, ccr.admin, repository, '{}')
    await pushImage(wire, ccr.admin, repository, 'latest')
  })
  identities = await createIdentities(ccr, wire)
})
afterAll(() => ccr.stop())

const PROJECT = '/projects/{project}'
const REPOSITORY = `${PROJECT}/repositories/{repository}`

const NEEDS: Record<string, Action | 'signed-in'> = {
  'GET /projects': 'catalog:read',
  'POST /projects': 'project:create',
  [`DELETE ${PROJECT}`]: 'project:delete',
  'GET /repositories': 'catalog:read',
  [`GET ${PROJECT}/repositories`]: 'project:read',
  [`POST ${PROJECT}/repositories`]: 'repository:push',
  [`GET ${REPOSITORY}`]: 'repository:pull',
  [`DELETE ${REPOSITORY}`]: 'repository:delete',
  [`GET ${REPOSITORY}/artifacts`]: 'repository:pull',
  [`DELETE ${REPOSITORY}/artifacts/{digest}`]: 'repository:delete',
  'GET /projects/charts': 'catalog:read',
  [`DELETE ${PROJECT}/charts/{chart}/delete`]: 'repository:delete',
  [`GET ${PROJECT}/charts/{file}/download`]: 'repository:pull',
  // Whose password it may be is tried in account.test.ts.
  'POST /account/reset': 'signed-in',
}

function ask(method: string, path: string, project: string, identity: Identity) {
  const values: Record<string, string> = {
    project,
    repository: method === 'DELETE' && path === REPOSITORY ? 'absent' : 'app',
    digest: digestOf('absent'),
    chart: 'absent',
    file: 'absent-1.0.0.tgz',
  }
  return ccr.call(
    method,
    path.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? name),
    {
      as: identity.header ?? null,
      headers: fromElsewhere(identity),
      ...(method === 'POST' ? { raw: '[]' } : {}),
    },
  )
}

type Outcome = 'allowed' | 'sign in' | 'denied'

function expectedOf(identity: Identity, needs: Action | 'signed-in', project: string): Outcome {
  // Registry tokens are good for /v2 alone, also those of nobody.
  if (identity.isVoid || identity.isRegistryToken) return 'sign in'
  if (needs === 'signed-in') return identity.isAnonymous ? 'sign in' : 'allowed'
  if (mayDo(identity, needs, project)) return 'allowed'
  return identity.isAnonymous ? 'sign in' : 'denied'
}

function seen({ status, body }: CcrAnswer): Outcome | string {
  switch (`${status} ${body.code}`) {
    case '200 CCR.Success':
    case '400 CCR.CodeParamError':
    case '403 CCR.CodeForbidOperate':
    case '404 CCR.CodeErrNotExists':
      return 'allowed'
    case '401 CCR.RespAuthFailed':
      return 'sign in'
    case '403 CCR.RespPermissionDenied':
      return 'denied'
    default:
      return `${status} ${body.code}`
  }
}

test('the calls that are expected are those that there are', () => {
  const routes = CCR_ROUTES.map(({ method, path }) => `${method} ${path}`)
  expect(Object.keys(NEEDS).sort()).toEqual(routes.sort())
})

describe.each([PRIVATE, PUBLIC])('in %s', (project) => {
  test.each(Object.entries(NEEDS))('%s', async (route, needs) => {
    const [method = '', path = ''] = route.split(' ')
    const wrong: string[] = []
    for (const identity of identities) {
      const expected = expectedOf(identity, needs, project)
      const outcome = seen(await ask(method, path, project, identity))
      if (outcome !== expected) wrong.push(`${identity.name}: ${outcome} instead of ${expected}`)
    }
    expect(wrong).toEqual([])
  })
})

test('a missing project answers as a hidden one, except to who sees everything', async () => {
  const missing = PRIVATE.replace('matrix', 'absent')
  const stranger = identities.find(({ name }) => name === 'stranger')
  if (!stranger) throw new Error('no stranger')
  for (const route of Object.keys(NEEDS).filter((name) => name.includes('{project}'))) {
    const [method = '', path = ''] = route.split(' ')
    for (const identity of [stranger, { name: 'anonymous', header: undefined }]) {
      const answers = []
      for (const project of [PRIVATE, missing]) {
        const { status, body } = await ask(method, path, project, identity)
        const told = JSON.stringify([status, body.code, body.message])
        answers.push(told.replaceAll(project, '<project>'))
      }
      expect([route, answers[0]]).toEqual([route, answers[1]])
    }
  }
})

test('lists across projects show what the caller may see, and nothing else', async () => {
  for (const identity of identities) {
    if (expectedOf(identity, 'catalog:read', '') !== 'allowed') continue
    const visible = [PRIVATE, PUBLIC, 'matrix-other']
      .filter((project) => mayDo(identity, 'project:read', project))
      .sort()
    const as = identity.header ?? null
    const projects = await ccr.call('GET', '/projects?nameHas=matrix-&noPaging=true', { as })
    const names = projects.body.projects.map(({ projectName }) => projectName)
    expect([identity.name, names]).toEqual([identity.name, visible])
    const { body } = await ccr.call('GET', '/repositories?nameHas=app', { as })
    const owners = (body.data as { projectName: string }[]).map(({ projectName }) => projectName)
    expect([identity.name, owners.sort(), body.totalCount]).toEqual([
      identity.name,
      visible,
      visible.length,
    ])
  }
})

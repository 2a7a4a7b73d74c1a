import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { Action } from '../../accounts/permissions.ts'
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
import { HSS_ROUTES } from './routes.ts'
import { type HssAnswer, startTestHss, type TestHss } from './test-hss.ts'

setDefaultTimeout(120_000)

/*
 * Every call of HSS × everybody × a private and a public project. What each call needs is written
 * here, who may what in test-identities.ts. Requests of those who may change nothing: their body is
 * wrong, or their target is not there.
 */

let hss: TestHss
let identities: Identity[]
beforeAll(async () => {
  hss = await startTestHss(BEHIND_PROXY)
  const wire = hss.connect()
  await createProjects(hss, async () => {})
  identities = await createIdentities(hss, wire)
})
afterAll(() => hss.stop())

const READ = 'project-registry:read'
const MANAGE = 'project-registry:manage'
const NEEDS: Record<string, Action> = {
  'POST /image/registries': MANAGE,
  'GET /image/registries': READ,
  'GET /image/registries/statistics': READ,
  'GET /image/registries/image-upload-command': READ,
  'POST /image/registries/batch-delete': MANAGE,
  'GET /image/registries/images': READ,
  'POST /image/image-sync/tasks': MANAGE,
  'GET /image/image-sync/tasks/{task_id}/registries': READ,
  'GET /image/tasks': READ,
  'GET /image/asset/statistics': READ,
  'PUT /image/registries/{id}': MANAGE,
  'DELETE /image/registries/{id}': MANAGE,
}

type Outcome = 'allowed' | 'sign in' | 'denied' | 'not found'

function expectedOf(identity: Identity, needs: Action, project: string): Outcome {
  // There is nothing here for those who are not signed in, in public projects neither.
  if (identity.isVoid || identity.isRegistryToken || identity.isAnonymous) return 'sign in'
  if (mayDo(identity, needs, project)) return 'allowed'
  return mayDo(identity, 'project:read', project) ? 'denied' : 'not found'
}

function seen({ status, body }: HssAnswer): Outcome | string {
  const code = `${status} ${body.error_code ?? ''}`
  if (code === '400 HSS.0011') {
    return /project_id/.test(body.error_msg) ? 'not found' : 'allowed'
  }
  const known: Record<string, Outcome> = {
    '200 ': 'allowed',
    '400 HSS.0001': 'allowed',
    '401 APIGW.0301': 'sign in',
    '400 HSS.0013': 'denied',
  }
  return known[code] ?? code
}

const ask = (route: string, project: string, identity: Identity) => {
  const [method = '', path = ''] = route.split(' ')
  const name = identity.header?.match(/^Bearer (ept_.*)$/)?.[1]
  return hss.call(method, `/v5/${project}${path.replace(/\{\w+\}/, 'absent')}`, {
    // API tokens as this API sends them.
    ...(name ? { token: name } : { as: identity.header ?? null }),
    headers: fromElsewhere(identity),
    ...(method === 'POST' ? { raw: '{}' } : {}),
  })
}

test('the calls that are expected are those that there are', () => {
  const routes = HSS_ROUTES.map(({ method, path }) => `${method} ${path}`)
  expect(Object.keys(NEEDS).sort()).toEqual(routes.sort())
})

describe.each([PRIVATE, PUBLIC])('in %s', (project) => {
  test.each(Object.entries(NEEDS))('%s', async (route, needs) => {
    const wrong: string[] = []
    for (const identity of identities) {
      const expected = expectedOf(identity, needs, project)
      const outcome = seen(await ask(route, project, identity))
      if (outcome !== expected) wrong.push(`${identity.name}: ${outcome} instead of ${expected}`)
    }
    expect(wrong).toEqual([])
  })
})

test('a missing project answers as a hidden one', async () => {
  const missing = PRIVATE.replace('matrix', 'absent')
  for (const name of ['stranger', 'anonymous']) {
    const identity = identities.find((one) => one.name === name)
    if (!identity) throw new Error(`no ${name}`)
    for (const route of Object.keys(NEEDS)) {
      const answers = []
      for (const project of [PRIVATE, missing]) {
        const { status, body } = await ask(route, project, identity)
        const { request_id, ...told } = body
        answers.push(JSON.stringify([status, told]).replaceAll(project, '<project>'))
      }
      expect([route, answers[0]]).toEqual([route, answers[1]])
    }
  }
})

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import type { Action } from '../../accounts/permissions.ts'
import {
  BEHIND_PROXY,
  createIdentities,
  createProjects,
  fromElsewhere,
  type Identity,
  mayDo,
} from '../test-identities.ts'
import type { WireResponse } from '../test-wire.ts'
import { ZADIG_ROUTES } from './routes.ts'
import { startTestZadig, type TestZadig } from './test-zadig.ts'

setDefaultTimeout(60_000)

/*
 * Every call of Zadig's OpenAPI × everybody. Requests of those who may change nothing: their body
 * is wrong, or their target is not there.
 */

let zadig: TestZadig
let identities: Identity[]
beforeAll(async () => {
  zadig = await startTestZadig(BEHIND_PROXY)
  await createProjects(zadig, async () => {})
  identities = await createIdentities(zadig, zadig.connect())
})
afterAll(() => zadig.stop())

const NEEDS: Record<string, Action> = {
  'POST /openapi/system/registry': 'registry:manage',
  'GET /openapi/system/registry': 'registry:read',
  'GET /openapi/system/registry/:id': 'registry:manage',
  'PUT /openapi/system/registry/:id': 'registry:manage',
  'DELETE /openapi/system/registry/:id': 'registry:manage',
}

type Outcome = 'allowed' | 'sign in' | 'denied'

function expectedOf(identity: Identity, needs: Action): Outcome {
  // Registry tokens are good for /v2 alone, also those of nobody.
  if (identity.isVoid || identity.isRegistryToken) return 'sign in'
  if (mayDo(identity, needs, '')) return 'allowed'
  return identity.isAnonymous ? 'sign in' : 'denied'
}

function seen(answer: WireResponse): Outcome | string {
  const { status } = answer
  if (status === 401) return answer.header('www-authenticate') ? 'sign in' : '401 without challenge'
  if (status === 403) return 'denied'
  return [200, 400, 404].includes(status) ? 'allowed' : `${status}`
}

test('the calls that are expected are those that there are', () => {
  const routes = ZADIG_ROUTES.map(({ method, path }) => `${method} ${path}`)
  expect(Object.keys(NEEDS).sort()).toEqual(routes.sort())
})

test.each(Object.entries(NEEDS))('%s', async (route, needs) => {
  const [method = '', path = ''] = route.split(' ')
  const wrong: string[] = []
  for (const identity of identities) {
    // A password that is no good costs a hash each time.
    for (const used of method === 'GET' && !identity.isVoid ? ['GET', 'HEAD'] : [method]) {
      const answer = await zadig.call(used, path.replace(':id', '0'.repeat(24)), {
        as: identity.header ?? null,
        headers: fromElsewhere(identity),
        ...(method === 'POST' || method === 'PUT' ? { raw: '[]' } : {}),
      })
      const [outcome, expected] = [seen(answer), expectedOf(identity, needs)]
      if (outcome !== expected) wrong.push(`${identity.name}: ${outcome} instead of ${expected}`)
      if (answer.status >= 400 && used !== 'HEAD' && answer.json().type !== 'error') {
        wrong.push(`${identity.name}: ${answer.text()}`)
      }
    }
  }
  expect(wrong).toEqual([])
})

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { Action } from '../accounts/permissions.ts'
import {
  digestOf,
  imageManifest,
  OCI_MANIFEST,
  pushBlob,
  pushImage,
  randomBlob,
} from './test-content.ts'
import {
  BEHIND_PROXY,
  createIdentities,
  createProjects,
  fromElsewhere,
  type Identity,
  mayDo,
  PRIVATE,
  PUBLIC,
} from './test-identities.ts'
import { startTestServer, type TestServer } from './test-server.ts'
import type { Wire, WireResponse } from './test-wire.ts'
import { V2_ROUTES } from './v2/routes.ts'

setDefaultTimeout(60_000)

/*
 * Every route of /v2 × everybody × a private and a public project. What is expected is written
 * here: what each route needs, what it answers to who may, and in test-identities.ts who may.
 */

let server: TestServer
let wire: Wire
let identities: Identity[]
let image: { digest: string; blobs: string[] }
beforeAll(async () => {
  server = await startTestServer(BEHIND_PROXY)
  wire = server.connect()
  await createProjects(server, async (repository) => {
    const layer = await pushImage(wire, server.admin, repository, 'latest')
    if (repository.startsWith(PRIVATE)) image = layer
    await pushBlob(wire, server.admin, repository, '{}')
  })
  identities = await createIdentities(server, wire)
})
afterAll(() => server.stop())

interface Ask {
  path: string
  body?: string | Uint8Array
  headers?: Record<string, string>
}

interface Expected {
  /** What the caller must be allowed; `token`: any good credentials; `open`: not bad ones. */
  needs: Action | 'token' | 'open'
  /** Who may gets this. */
  status: number
  /** What is asked for in `repository`, made ready by the administrator or by `as`. */
  ask(repository: string, as: string): Ask | Promise<Ask>
}

const MANIFEST = '/v2/<name>/manifests/<reference>'
const BLOB = '/v2/<name>/blobs/<digest>'
const UPLOAD = '/v2/<name>/blobs/uploads/<id>'

async function upload(repository: string, as: string): Promise<string> {
  const answer = await wire.request('POST', `/v2/${repository}/blobs/uploads/`, { as })
  return answer.header('location') ?? ''
}

const EXPECTED: Record<string, Expected> = {
  'GET /v2/': { needs: 'token', status: 200, ask: () => ({ path: '/v2/' }) },
  'HEAD /v2/': { needs: 'token', status: 200, ask: () => ({ path: '/v2/' }) },
  'GET /v2/_catalog': { needs: 'catalog:read', status: 200, ask: () => ({ path: '/v2/_catalog' }) },
  'GET /v2/_oci/ext/discover': {
    needs: 'open',
    status: 200,
    ask: () => ({ path: '/v2/_oci/ext/discover' }),
  },
  ...sameFor(['GET', 'HEAD'], MANIFEST, {
    needs: 'repository:pull',
    status: 200,
    ask: (repository) => ({ path: `/v2/${repository}/manifests/latest` }),
  }),
  [`PUT ${MANIFEST}`]: {
    needs: 'repository:push',
    status: 201,
    ask: (repository) => ({
      path: `/v2/${repository}/manifests/pushed`,
      body: imageManifest('{}', []),
      headers: { 'content-type': OCI_MANIFEST },
    }),
  },
  [`DELETE ${MANIFEST}`]: {
    needs: 'repository:delete',
    status: 202,
    async ask(repository) {
      const path = `/v2/${repository}/manifests/doomed`
      const headers = { 'content-type': OCI_MANIFEST }
      await wire.request('PUT', path, { as: server.admin, headers, body: imageManifest('{}', []) })
      return { path }
    },
  },
  'GET /v2/<name>/referrers/<digest>': {
    needs: 'repository:pull',
    status: 200,
    ask: (repository) => ({ path: `/v2/${repository}/referrers/${image.digest}` }),
  },
  'GET /v2/<name>/tags/list': {
    needs: 'repository:pull',
    status: 200,
    ask: (repository) => ({ path: `/v2/${repository}/tags/list` }),
  },
  'POST /v2/<name>/blobs/uploads/': {
    needs: 'repository:push',
    status: 202,
    ask: (repository) => ({ path: `/v2/${repository}/blobs/uploads/` }),
  },
  [`GET ${UPLOAD}`]: {
    needs: 'repository:push',
    status: 204,
    ask: async (repository, as) => ({ path: await upload(repository, as) }),
  },
  [`PATCH ${UPLOAD}`]: {
    needs: 'repository:push',
    status: 202,
    ask: async (repository, as) => ({ path: await upload(repository, as), body: 'some' }),
  },
  [`PUT ${UPLOAD}`]: {
    needs: 'repository:push',
    status: 201,
    async ask(repository, as) {
      const body = randomBlob(20)
      return { path: `${await upload(repository, as)}?digest=${digestOf(body)}`, body }
    },
  },
  [`DELETE ${UPLOAD}`]: {
    needs: 'repository:push',
    status: 204,
    ask: async (repository, as) => ({ path: await upload(repository, as) }),
  },
  ...sameFor(['GET', 'HEAD'], BLOB, {
    needs: 'repository:pull',
    status: 200,
    ask: (repository) => ({ path: `/v2/${repository}/blobs/${digestOf('{}')}` }),
  }),
  [`DELETE ${BLOB}`]: {
    needs: 'repository:delete',
    status: 202,
    async ask(repository) {
      const digest = await pushBlob(wire, server.admin, repository, randomBlob(20))
      return { path: `/v2/${repository}/blobs/${digest}` }
    },
  },
}

function sameFor(methods: string[], path: string, expected: Expected): Record<string, Expected> {
  return Object.fromEntries(methods.map((method) => [`${method} ${path}`, expected]))
}

type Outcome = 'allowed' | 'invalid' | 'sign in' | 'too narrow' | 'denied'

function expectedOf(identity: Identity, needs: Expected['needs'], project: string): Outcome {
  if (identity.isVoid) return 'invalid'
  if (needs === 'open') return 'allowed'
  if (needs === 'token') return identity.header && !isEmptyBasic(identity) ? 'allowed' : 'sign in'
  if (!mayDo(identity, needs, project)) return identity.isAnonymous ? 'sign in' : 'denied'
  if (!identity.narrowTo) return 'allowed'
  const scope = `${project}/app:${needs.replace('repository:', '')}`
  return identity.narrowTo.includes(scope) ? 'allowed' : 'too narrow'
}

const isEmptyBasic = ({ header }: Identity) => header === 'Basic Og=='

function seen(answer: WireResponse, status: number): Outcome | string {
  const challenge = answer.header('www-authenticate') ?? ''
  if (answer.status === status) return 'allowed'
  if (answer.status === 403 && challenge === '') return 'denied'
  if (answer.status !== 401) return `${answer.status} ${answer.text()}`
  if (!challenge.startsWith('Bearer realm="')) return `401 with ${challenge}`
  return challenge.includes('error="insufficient_scope"') ? 'too narrow' : 'sign in'
}

/** A token that is no good is told from none by `invalid_token`, a password is not. */
function fits(outcome: Outcome | string, expected: Outcome, identity: Identity, header: string) {
  if (expected !== 'invalid') return outcome === expected
  const isToken = identity.header?.startsWith('Bearer ') ?? false
  return outcome === 'sign in' && header.includes('error="invalid_token"') === isToken
}

test('the routes that are expected are those that there are', () => {
  const routes = V2_ROUTES.map(({ method, path }) => `${method} ${path}`)
  expect(Object.keys(EXPECTED).sort()).toEqual(routes.sort())
})

describe.each([PRIVATE, PUBLIC])('in %s', (project) => {
  test.each(Object.entries(EXPECTED))('%s', async (route, { needs, status, ask }) => {
    const [method = ''] = route.split(' ')
    const repository = `${project}/app`
    const wrong: string[] = []
    for (const identity of identities) {
      const expected = expectedOf(identity, needs, project)
      // Sessions belong to those who began them; who may not begin one tries another's.
      const owner = expected === 'allowed' ? identity.header : server.admin
      const { path, ...request } = await ask(repository, owner ?? '')
      const headers = { ...request.headers, ...fromElsewhere(identity) }
      const answer = await wire.request(method, path, { ...request, headers, as: identity.header })
      const outcome = seen(answer, status)
      const header = answer.header('www-authenticate') ?? ''
      if (!fits(outcome, expected, identity, header)) {
        wrong.push(`${identity.name}: ${outcome} instead of ${expected}; ${header}`)
      }
    }
    expect(wrong).toEqual([])
  })
})

test('a session of another account is not there, whatever one may do', async () => {
  for (const project of [PRIVATE, PUBLIC]) {
    const path = await upload(`${project}/app`, server.admin)
    for (const identity of identities) {
      if (expectedOf(identity, 'repository:push', project) !== 'allowed') continue
      const own = identity.isSystemAdmin === true
      const answer = await wire.request('GET', path, { as: identity.header })
      expect([identity.name, answer.status]).toEqual([identity.name, own ? 204 : 404])
    }
  }
})

test('the catalog shows what the caller may pull, and nothing else', async () => {
  for (const identity of identities) {
    if (expectedOf(identity, 'catalog:read', '') !== 'allowed') continue
    const answer = await wire.request('GET', '/v2/_catalog', { as: identity.header })
    const shown = answer.json<{ repositories: string[] }>().repositories
    const pullable = [PRIVATE, PUBLIC, 'matrix-other']
      .filter((project) => mayDo(identity, 'repository:pull', project))
      .map((project) => `${project}/app`)
    expect([identity.name, shown]).toEqual([identity.name, pullable.sort()])
  }
})

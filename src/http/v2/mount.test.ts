import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { digestOf, pushBlob, randomBlob } from '../test-content.ts'
import { errorOf } from '../test-form.ts'
import { basic, PASSWORD, startTestServer, type TestServer } from '../test-server.ts'
import type { Wire, WireResponse } from '../test-wire.ts'

setDefaultTimeout(60_000)

let server: TestServer
let wire: Wire
/** Administrator of the project `hers`, developer in `shared`, nobody in `hidden`. */
const alice = basic('alice')
beforeAll(async () => {
  server = await startTestServer({ ENTREPOT_PROJECTS_CREATORS: 'admins' })
  wire = server.connect()
  const { accounts, registry, db } = server
  const { id } = await accounts.users.create({ name: 'alice', password: PASSWORD })
  for (const [name, isPublic] of Object.entries({
    hers: false,
    shared: false,
    hidden: false,
    open: true,
  })) {
    const project = await db.transaction((tx) =>
      registry.projects.create(tx, { name, isPublic, createdBy: null }),
    )
    if (name === 'hers') await accounts.members.put(project.id, id, 'admin')
    if (name === 'shared') await accounts.members.put(project.id, id, 'guest')
  }
})
afterAll(() => server.stop())

async function tokenFor(...scopes: string[]): Promise<string> {
  const query = scopes.map((scope) => `scope=${encodeURIComponent(scope)}`).join('&')
  const answer = await wire.request('GET', `/token?${query}`, { as: alice })
  return `Bearer ${answer.json<{ token: string }>().token}`
}

function mount(digest: string, from: string | undefined, as = alice): Promise<WireResponse> {
  const query = new URLSearchParams({ mount: digest, ...(from === undefined ? {} : { from }) })
  return wire.request('POST', `/v2/hers/target/blobs/uploads/?${query}`, { as })
}

async function expectMounted(answer: WireResponse, digest: string) {
  expect(answer.status).toBe(201)
  expect(answer.header('location')).toBe(`/v2/hers/target/blobs/${digest}`)
  expect(answer.header('docker-content-digest')).toBe(digest)
  const head = await wire.request('HEAD', answer.header('location') ?? '', { as: alice })
  expect(head.status).toBe(200)
}

/** 202 is an upload like any other. */
async function expectUpload(answer: WireResponse, bytes: Uint8Array) {
  expect(answer.status).toBe(202)
  const path = `${answer.header('location')}?digest=${digestOf(bytes)}`
  expect((await wire.request('PUT', path, { as: alice, body: bytes })).status).toBe(201)
}

/** Pushed by the administrator. */
async function blobIn(repository: string, algorithm: 'sha256' | 'sha512' = 'sha256') {
  const bytes = randomBlob(40)
  return { bytes, digest: await pushBlob(wire, server.admin, repository, bytes, algorithm) }
}

test.each(['shared/a', 'open/a', 'library/a'])('from %s, which may be pulled', async (from) => {
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const { digest } = await blobIn(from, algorithm)
    await expectMounted(await mount(digest, from), digest)
  }
})

test('from a name without a slash', async () => {
  const { digest } = await blobIn('library/short')
  await expectMounted(await mount(digest, 'short'), digest)
})

test.each(['shared/a', 'open/a'])(
  'from nowhere in particular finds the blob of %s',
  async (where) => {
    const { digest } = await blobIn(where)
    await expectMounted(await mount(digest, undefined), digest)
  },
)

test('what may not be pulled, is missing or has no name is an upload, alike', async () => {
  const hidden = await blobIn('hidden/a')
  await blobIn('shared/a')
  const answers = []
  for (const from of [
    'hidden/a',
    'hidden/nothing',
    'missing/a',
    'shared/a',
    'open/nothing',
    'NO NAME',
    '',
    undefined,
  ]) {
    const answer = await mount(hidden.digest, from)
    const id = answer.header('docker-upload-uuid') ?? ''
    const seen = answer.fields.filter(([name]) => !['date', 'x-request-id'].includes(name))
    answers.push(JSON.stringify(seen).replaceAll(id, '<id>'))
    await wire.request('DELETE', answer.header('location') ?? '', { as: alice })
    expect([from, answer.status]).toEqual([from, 202])
  }
  expect(new Set(answers).size).toBe(1)
  await expectUpload(await mount(hidden.digest, 'hidden/a'), hidden.bytes)
})

test('a token too narrow for the source learns which one to get, for both', async () => {
  const { digest } = await blobIn('shared/a')
  const push = 'repository:hers/target:pull,push'
  const narrow = await tokenFor(push)
  const refused = await mount(digest, 'shared/a', narrow)
  expect([refused.status, errorOf(refused).code]).toEqual([401, 'UNAUTHORIZED'])
  const challenge = refused.header('www-authenticate') ?? ''
  expect(challenge).toContain(
    `,scope="${push} repository:shared/a:pull",error="insufficient_scope"`,
  )
  // As the conformance program does: all of it in one parameter.
  const scope = /scope="([^"]*)"/.exec(challenge)?.[1] ?? ''
  await expectMounted(await mount(digest, 'shared/a', await tokenFor(scope)), digest)
  // Where no token would help, the push goes on.
  const hidden = await blobIn('hidden/a')
  expect((await mount(hidden.digest, 'hidden/a', narrow)).status).toBe(202)
  expect((await mount(hidden.digest, 'missing/a', narrow)).status).toBe(202)
  // Without a source the token need not name one.
  const again = await blobIn('shared/a')
  await expectMounted(await mount(again.digest, undefined, narrow), again.digest)
})

test('does not replace the right to push', async () => {
  const { digest } = await blobIn('open/a')
  const path = `/v2/shared/a/blobs/uploads/?mount=${digest}&from=open/a`
  const denied = await wire.request('POST', path, { as: alice })
  expect([denied.status, errorOf(denied).code]).toEqual([403, 'DENIED'])
  expect((await wire.request('POST', path)).status).toBe(401)
})

test.each(['', 'sha256:bad', `md5:${'0'.repeat(32)}`, 'latest'])(
  'of "%s" is 400',
  async (digest) => {
    const answer = await mount(digest, 'shared/a')
    expect([answer.status, errorOf(answer).code]).toEqual([400, 'DIGEST_INVALID'])
  },
)

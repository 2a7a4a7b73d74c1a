import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import {
  digestOf,
  imageManifest,
  OCI_MANIFEST,
  pushBlob,
  pushImage,
  randomBlob,
} from '../test-content.ts'
import { errorOf } from '../test-form.ts'
import { basic, PASSWORD, startTestServer, type TestServer } from '../test-server.ts'
import type { Wire, WireResponse } from '../test-wire.ts'

setDefaultTimeout(60_000)

let server: TestServer
let wire: Wire
let as: string
const erin = basic('erin')
beforeAll(async () => {
  server = await startTestServer({ ENTREPOT_PROJECTS_CREATORS: 'admins' })
  wire = server.connect()
  as = server.admin
  const { accounts } = server
  const { id } = await accounts.users.create({ name: 'erin', password: PASSWORD })
  await project('small', { quota: 10_000 })
  await project('hidden')
  await accounts.members.put(await project('guests'), id, 'guest')
})
afterAll(() => server.stop())

async function project(name: string, more: { quota?: number; isPublic?: boolean } = {}) {
  const { registry, db } = server
  const { id } = await db.transaction((tx) =>
    registry.projects.create(tx, { name, isPublic: false, createdBy: null, ...more }),
  )
  return id
}

function expectDenied(answer: WireResponse, ...says: string[]) {
  expect([answer.status, errorOf(answer).code]).toEqual([403, 'DENIED'])
  const { message } = errorOf(answer)
  for (const part of says) expect(message).toContain(part)
  // One or two plain sentences for a terminal.
  expect(message.length).toBeLessThan(400)
  expect(message).toMatch(/^[\x20-\x7e]+$/)
}

test('too much for the quota names the project, what is left and who can help', async () => {
  await pushBlob(wire, as, 'small/a', randomBlob(6_000))
  const bytes = randomBlob(5_000)
  const path = `/v2/small/a/blobs/uploads/?digest=${digestOf(bytes)}`
  const says = ['project "small"', 'quota', 'administrator']
  expectDenied(await wire.request('POST', path, { as, body: bytes }), ...says)
  const started = await wire.request('POST', '/v2/small/a/blobs/uploads/', { as })
  const location = started.header('location') ?? ''
  // Before the bytes, where they are announced; at the commit, where they are not.
  expectDenied(await wire.request('PATCH', location, { as, body: bytes }), ...says)
  const streamed = await wire.request('PATCH', location, {
    as,
    headers: { 'transfer-encoding': 'chunked' },
    body: Buffer.concat([Buffer.from('1388\r\n'), bytes, Buffer.from('\r\n0\r\n\r\n')]),
  })
  expect(streamed.status).toBe(202)
  expectDenied(await wire.request('PUT', `${location}?digest=${digestOf(bytes)}`, { as }), ...says)
  // What is being uploaded holds room until it is given up.
  expect((await wire.request('DELETE', location, { as })).status).toBe(204)
  const config = randomBlob(3_000)
  await pushBlob(wire, as, 'small/a', config)
  const body = imageManifest(config, [], { annotations: { filling: 'x'.repeat(2_000) } })
  const headers = { 'content-type': OCI_MANIFEST }
  const manifest = await wire.request('PUT', '/v2/small/a/manifests/big', { as, headers, body })
  expectDenied(manifest, ...says)
})

test('an immutable tag says what stays, and what to do', async () => {
  const name = { project: 'guests', path: 'a', full: 'guests/a' }
  const { digest } = await pushImage(wire, as, name.full, 'v1')
  await server.registry.tags.protect(name, 'v1', true)
  const path = `/v2/${name.full}/manifests`
  const config = '{}'
  await pushBlob(wire, as, name.full, config)
  const put = await wire.request('PUT', `${path}/v1`, {
    as,
    headers: { 'content-type': OCI_MANIFEST },
    body: imageManifest(config, []),
  })
  expectDenied(put, 'tag "v1" of guests/a is immutable', `stays at ${digest}`, 'maintainer')
  for (const reference of ['v1', digest]) {
    const erased = await wire.request('DELETE', `${path}/${reference}`, { as })
    expectDenied(erased, 'tag "v1" of guests/a is immutable', 'maintainer')
  }
  const got = await wire.request('GET', `${path}/v1`, { as })
  expect(got.header('docker-content-digest')).toBe(digest)
})

test('a role that is too weak says which ones are needed', async () => {
  const answer = await wire.request('POST', '/v2/guests/a/blobs/uploads/', { as: erin })
  expectDenied(answer, 'project "guests"', '"erin" is only guest', 'developer, maintainer, admin')
  const erase = await wire.request('DELETE', '/v2/guests/a/manifests/v1', { as: erin })
  expectDenied(erase, 'is only guest', 'maintainer, admin')
})

const LATEST = 'manifests/latest'
const ZERO = `sha256:${'0'.repeat(64)}`

test.each([
  ['GET', LATEST],
  ['HEAD', LATEST],
  ['PUT', LATEST],
  ['DELETE', LATEST],
  ['GET', 'tags/list'],
  ['GET', `referrers/${ZERO}`],
  ['GET', `blobs/${ZERO}`],
  ['HEAD', `blobs/${ZERO}`],
  ['DELETE', `blobs/${ZERO}`],
  ['POST', 'blobs/uploads/'],
  ['POST', `blobs/uploads/?mount=${ZERO}&from=library/a`],
  ['GET', 'blobs/uploads/some-id'],
  ['PATCH', 'blobs/uploads/some-id'],
  ['PUT', `blobs/uploads/some-id?digest=${ZERO}`],
  ['DELETE', 'blobs/uploads/some-id'],
])('%s %s tells a hidden project not from a missing one', async (method, path) => {
  await pushImage(wire, as, 'hidden/a', 'latest')
  for (const who of [erin, undefined]) {
    const answers = []
    for (const name of ['hidden/a', 'hidden/none', 'absent/a']) {
      const answer = await wire.request(method, `/v2/${name}/${path}`, { as: who })
      expect(answer.status).toBe(who ? 403 : 401)
      const seen = answer.fields.filter(([field]) => !['date', 'x-request-id'].includes(field))
      const text = JSON.stringify([seen, answer.text()])
      const [project = ''] = name.split('/')
      // The length of the body follows that of the name, which is 6 each.
      answers.push(text.replaceAll(name, '<name>').replaceAll(project, '<project>'))
    }
    const [first, ...others] = answers
    expect(others.map((text) => text.replaceAll(/"content-length","\d+"/g, ''))).toEqual(
      others.map(() => (first ?? '').replaceAll(/"content-length","\d+"/g, '')),
    )
  }
})

test('who may create projects is told that a missing one is missing', async () => {
  const answer = await wire.request('GET', '/v2/absent/a/tags/list', { as })
  expect([answer.status, errorOf(answer).code]).toEqual([404, 'NAME_UNKNOWN'])
})

test('the name of a project that is reserved is refused with the reason', async () => {
  const path = `/v2/api/a/blobs/uploads/?digest=${digestOf('x')}`
  const answer = await wire.request('POST', path, { as, body: 'x' })
  expect([answer.status, errorOf(answer).code]).toEqual([400, 'NAME_INVALID'])
  expect(errorOf(answer).message).toContain('"api" is reserved')
})

test('a system administrator makes the project of the installation itself by a push', async () => {
  const path = `/v2/system/runner/blobs/uploads/?digest=${digestOf('x')}`
  expect((await wire.request('POST', path, { as, body: 'x' })).status).toBe(201)
})

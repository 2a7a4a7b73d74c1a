import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { digestOf, type FaultServer, startFaultServer } from './test-fault-server.ts'
import { remoteOf, type TestRemote } from './test-remote.ts'

/* Signatures and the like, found by the API or by the fallback tag. */

let server: FaultServer
let remote: TestRemote
beforeAll(async () => {
  server = await startFaultServer()
})
afterAll(() => server.stop())
beforeEach(() => {
  server.seen.length = 0
  server.manifests.clear()
  server.fault = () => undefined
  remote = remoteOf(server.url)
})

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const INDEX = 'application/vnd.oci.image.index.v1+json'

const body = (extra: object = {}) =>
  Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf('{}'), size: 2 },
      layers: [],
      ...extra,
    }),
  )
const contentOf = (bytes: Buffer) => ({ digest: digestOf(bytes), mediaType: MANIFEST, bytes })
function put(bytes: Buffer, name = 'v1', type = MANIFEST) {
  server.manifests.set(`a:${name}`, { type, bytes })
  server.manifests.set(`a:${digestOf(bytes)}`, { type, bytes })
  return digestOf(bytes)
}

const subject = { mediaType: MANIFEST, digest: digestOf(body()), size: body().length }
const signature = (note: string) =>
  body({ artifactType: 'application/x-signature', subject, annotations: { note } })
const fallback = digestOf(body()).replace(':', '-')

test('referrers by a tag where there is no API: read, added to, and taken off', async () => {
  const [first, second] = [signature('one'), signature('two')]
  const { registry } = remote
  expect(await registry.listReferrers('a', digestOf(body()))).toEqual([])
  await Promise.all([
    registry.writeManifest('a', contentOf(first)),
    registry.writeManifest('a', contentOf(second)),
  ])
  await registry.writeManifest('a', contentOf(first))
  const found = await registry.listReferrers('a', digestOf(body()))
  expect(found.map(({ digest }) => digest).sort()).toEqual(
    [digestOf(first), digestOf(second)].sort(),
  )
  expect(found[0]).toMatchObject({
    mediaType: MANIFEST,
    size: first.length,
    artifactType: 'application/x-signature',
  })
  const listed = JSON.parse(String(server.manifests.get(`a:${fallback}`)?.bytes))
  expect(listed).toMatchObject({ schemaVersion: 2, mediaType: INDEX })
  const other = registry.listReferrers('a', digestOf(body()), { artifactType: 'application/x' })
  expect(await other).toEqual([])
  expect(await registry.deleteManifest('a', digestOf(first))).toBe(true)
  const left = await registry.listReferrers('a', digestOf(body()))
  expect(left.map(({ digest }) => digest)).toEqual([digestOf(second)])
})

test('referrers by the API: pages, filtered here too, each once', async () => {
  const [first, second] = [signature('one'), signature('two')]
  const descriptor = (bytes: Buffer, artifactType: string) => ({
    mediaType: MANIFEST,
    digest: digestOf(bytes),
    size: bytes.length,
    artifactType,
  })
  const page = (...manifests: object[]) =>
    JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests })
  server.fault = ({ path, query }) => {
    if (!path.startsWith('/v2/a/referrers/')) return undefined
    const headers = { 'content-type': INDEX }
    if (query.has('p'))
      return { headers, body: page(descriptor(first, 'x'), descriptor(second, 'y')) }
    return {
      headers: { ...headers, link: `<${path}?p=2>; rel="next"` },
      body: page(descriptor(first, 'x')),
    }
  }
  const all = await remote.registry.listReferrers('a', digestOf(body()))
  expect(all.map(({ digest }) => digest)).toEqual([digestOf(first), digestOf(second)])
  const some = await remote.registry.listReferrers('a', digestOf(body()), { artifactType: 'y' })
  expect(some.map(({ digest }) => digest)).toEqual([digestOf(second)])
})

test('no tag is written where the registry noticed the subject', async () => {
  const answers = { status: 201, headers: { 'oci-subject': digestOf(body()) } }
  server.fault = ({ method }) => (method === 'PUT' ? answers : undefined)
  await remote.registry.writeManifest('a', contentOf(signature('one')))
  expect(server.lines().filter((line) => line.startsWith('PUT'))).toHaveLength(1)
})

test('the tag that somebody else changed meanwhile is read again', async () => {
  const [first, second] = [signature('one'), signature('two')]
  let isLate = true
  put(
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [] })),
    fallback,
    INDEX,
  )
  server.fault = ({ method, path, headers }) => {
    if (method !== 'PUT' || !path.endsWith(fallback) || !isLate) return undefined
    isLate = false
    expect(headers['if-match']).toBeDefined()
    const manifests = [{ mediaType: MANIFEST, digest: digestOf(first), size: first.length }]
    const changed = { schemaVersion: 2, mediaType: INDEX, manifests }
    put(Buffer.from(JSON.stringify(changed)), fallback, INDEX)
    return { status: 412 }
  }
  await remote.registry.writeManifest('a', contentOf(second))
  const found = await remote.registry.listReferrers('a', digestOf(body()))
  expect(found.map(({ digest }) => digest)).toEqual([digestOf(first), digestOf(second)])
})

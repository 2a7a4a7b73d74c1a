import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import type { Digest } from '../oci/digest.ts'
import { digestOf, type FaultServer, startFaultServer } from './test-fault-server.ts'
import { failureOf, remoteOf, type TestRemote } from './test-remote.ts'

/* Manifests, lists and referrers, of registries that do it right and of those that do not. */

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const INDEX = 'application/vnd.oci.image.index.v1+json'

let server: FaultServer
let remote: TestRemote
beforeAll(async () => {
  server = await startFaultServer()
})
afterAll(() => server.stop())
beforeEach(() => {
  server.seen.length = 0
  server.manifests.clear()
  server.hasReferrers = false
  server.fault = () => undefined
  remote = remoteOf(server.url)
})

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
const tag = (name: string) => ({ kind: 'tag', tag: name }) as const
const byDigest = (digest: Digest) => ({ kind: 'digest', digest }) as const

function put(bytes: Buffer, name = 'v1', type = MANIFEST) {
  server.manifests.set(`a:${name}`, { type, bytes })
  server.manifests.set(`a:${digestOf(bytes)}`, { type, bytes })
  return digestOf(bytes)
}

test('what was written is what is read, byte for byte', async () => {
  const bytes = Buffer.concat([body(), Buffer.from('\n \n')])
  await remote.registry.writeManifest('a', contentOf(bytes), { tag: 'v1' })
  const found = await remote.registry.readManifest('a', tag('v1'))
  expect(found && Buffer.from(found.bytes)).toEqual(bytes)
  expect(found).toMatchObject({ digest: digestOf(bytes), mediaType: MANIFEST })
  const head = { digest: digestOf(bytes), mediaType: MANIFEST, size: bytes.length }
  expect(await remote.registry.resolveManifest('a', tag('v1'))).toEqual(head)
  expect(await remote.registry.resolveManifest('a', byDigest(digestOf(bytes)))).toEqual(head)
})

test('what is not there is undefined, and false when deleted', async () => {
  expect(await remote.registry.readManifest('a', tag('none'))).toBeUndefined()
  expect(await remote.registry.resolveManifest('a', tag('none'))).toBeUndefined()
  expect(await remote.registry.deleteManifest('a', digestOf('none'))).toBe(false)
  put(body())
  expect(await remote.registry.deleteTag('a', 'v1')).toBe(true)
  expect(await remote.registry.deleteTag('a', 'v1')).toBe(false)
})

test.each([400, 403, 405, 501])('HEAD answered with %d: GET tells', async (status) => {
  const digest = put(body())
  server.fault = ({ method }) => (method === 'HEAD' ? { status } : undefined)
  expect(await remote.registry.resolveManifest('a', tag('v1'))).toMatchObject({ digest })
  expect(await remote.registry.resolveManifest('a', tag('none'))).toBeUndefined()
})

test('a HEAD that does not say the digest, the length or the type is not enough', async () => {
  const bytes = body()
  const digest = put(bytes)
  const whole = { 'docker-content-digest': digest, 'content-type': MANIFEST }
  for (const name of ['docker-content-digest', 'content-type']) {
    const headers = { ...whole, [name]: '', 'content-length': String(bytes.length) }
    server.fault = ({ method }) => (method === 'HEAD' ? { headers } : undefined)
    const found = await remote.registry.resolveManifest('a', tag('v1'))
    expect(found).toMatchObject({ digest, mediaType: MANIFEST, size: bytes.length })
  }
})

test.each([
  ['application/json', {}, MANIFEST],
  ['text/plain; charset=utf-8', {}, MANIFEST],
  ['', { mediaType: undefined }, MANIFEST],
  ['', { mediaType: undefined, config: undefined, layers: undefined, manifests: [] }, INDEX],
  ['application/vnd.cncf.x+json; charset=utf-8', {}, 'application/vnd.cncf.x+json'],
])('of type "%s" by its content', async (type, extra, expected) => {
  put(body(extra), 'v1', type)
  const found = await remote.registry.readManifest('a', tag('v1'))
  expect(found?.mediaType).toBe(expected)
})

test('bytes that the digest is not of are no manifest', async () => {
  const digest = put(body())
  server.fault = ({ method }) => (method === 'GET' ? { body: body({ evil: true }) } : undefined)
  const asked = await failureOf(remote.registry.readManifest('a', byDigest(digest)))
  expect(asked).toMatchObject({ code: 'remote_error', problem: 'digest' })
  const headers = { 'docker-content-digest': digest }
  server.fault = ({ method }) => (method === 'GET' ? { headers, body: '{}' } : undefined)
  const said = await failureOf(remote.registry.readManifest('a', tag('v1')))
  expect(said).toMatchObject({ code: 'remote_error', problem: 'digest' })
})

test('a sha512 manifest is compared by sha512', async () => {
  const bytes = body()
  const digest = `sha512:${createHash('sha512').update(bytes).digest('hex')}` as Digest
  server.manifests.set(`a:${digest}`, { type: MANIFEST, bytes })
  server.fault = () => undefined
  const headers = { 'docker-content-digest': digest, 'content-type': MANIFEST }
  server.fault = ({ method }) => (method === 'GET' ? { headers, body: bytes } : undefined)
  expect((await remote.registry.readManifest('a', byDigest(digest)))?.digest).toBe(digest)
})

test('1 GB that says so, and 1 GB that does not, are not taken', async () => {
  const headers = { 'content-length': String(1e9), 'content-type': MANIFEST }
  server.fault = ({ method }) => (method === 'GET' ? { headers, body: 'x'.repeat(1e6) } : undefined)
  const told = await failureOf(remote.registry.readManifest('a', tag('v1')))
  expect(told).toMatchObject({ code: 'remote_error', problem: 'too_large' })

  let sent = 0
  const endless = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            sent += 1e6
            if (sent > 1e9) controller.close()
            else controller.enqueue(new Uint8Array(1e6))
          },
        }),
        { headers: { 'content-type': MANIFEST } },
      ),
  })
  const other = remoteOf(`http://127.0.0.1:${endless.port}`)
  const untold = await failureOf(other.registry.readManifest('a', tag('v1')))
  expect(untold).toMatchObject({ code: 'remote_error', problem: 'too_large' })
  await endless.stop(true)
  expect(sent).toBeLessThan(500e6)
})

test('a registry that stores something else than was sent is found out', async () => {
  const headers = { 'docker-content-digest': digestOf('other') }
  server.fault = ({ method }) => (method === 'PUT' ? { status: 201, headers } : undefined)
  const failure = await failureOf(remote.registry.writeManifest('a', contentOf(body())))
  expect(failure).toMatchObject({ code: 'remote_error', problem: 'digest' })
})

test('a refusal is told in the words of the registry, without control characters', async () => {
  const errors = [
    { code: 'DENIED', message: `quota\u0007 of \u001b[31m5 GB reached ${'x'.repeat(999)}` },
  ]
  server.fault = ({ method }) =>
    method === 'PUT' ? { status: 403, body: JSON.stringify({ errors }) } : undefined
  const failure = await failureOf(
    remote.registry.writeManifest('a', contentOf(body()), { tag: 'v1' }),
  )
  expect(failure).toMatchObject({
    code: 'remote_denied',
    problem: 'permission',
    remoteCodes: ['DENIED'],
  })
  expect(failure.message).toStartWith(
    `${server.host} does not let this account store the manifest a:v1 (403): DENIED: quota of [31m5 GB`,
  )
  expect(failure.message.length).toBeLessThan(450)
})

test('a name cannot leave the path of the registry', async () => {
  for (const name of ['../../admin', 'a/../b', 'a/./b']) {
    const failure = await failureOf(remote.registry.readManifest(name, tag('v1')))
    expect(failure).toMatchObject({ code: 'name_invalid' })
  }
  await remote.registry.readManifest('a?x=1#/b', tag('v1'))
  expect(server.lines().slice(1)).toEqual(['GET /v2/a?x=1#/b/manifests/v1'])
})

test('names without a slash are in library on Docker Hub, and nowhere else', async () => {
  const hub = remoteOf(server.url, { provider: { name: 'dockerhub' } })
  await hub.registry.resolveManifest('alpine', tag('v1'))
  await hub.registry.resolveManifest('team/app', tag('v1'))
  await remote.registry.resolveManifest('alpine', tag('v1'))
  expect(server.lines().filter((line) => line.startsWith('HEAD'))).toEqual([
    'HEAD /v2/library/alpine/manifests/v1',
    'HEAD /v2/team/app/manifests/v1',
    'HEAD /v2/alpine/manifests/v1',
  ])
})

test('what must exist before a push is made once', async () => {
  const made: string[] = []
  const { registry } = remoteOf(server.url, {
    provider: {
      async ensureRepository(_, repository) {
        made.push(repository)
      },
    },
  })
  for (const name of ['a', 'a', 'b']) await registry.writeManifest(name, contentOf(body()))
  expect(made).toEqual(['a', 'b'])
})

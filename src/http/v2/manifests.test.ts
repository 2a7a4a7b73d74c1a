import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import {
  descriptorOf,
  digestOf,
  imageManifest,
  OCI_INDEX,
  OCI_MANIFEST,
  pushBlob,
  pushImage,
  randomBlob,
} from '../test-content.ts'
import { errorOf } from '../test-form.ts'
import { startTestServer, type TestServer } from '../test-server.ts'
import type { Wire } from '../test-wire.ts'

setDefaultTimeout(60_000)

const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'
const NAME = 'team/manifests'
const LIMIT = 4 * 1024 * 1024

let server: TestServer
let wire: Wire
let as: string
const config = '{}'
const layer = randomBlob(50)
beforeAll(async () => {
  server = await startTestServer()
  wire = server.connect()
  as = server.admin
  await pushBlob(wire, as, NAME, config)
  await pushBlob(wire, as, NAME, layer)
})
afterAll(() => server.stop())

const path = (reference: string, name = NAME) => `/v2/${name}/manifests/${reference}`
const put = (reference: string, body: string | Uint8Array, type = OCI_MANIFEST, name = NAME) =>
  wire.request('PUT', path(reference, name), {
    as,
    body,
    headers: type ? { 'content-type': type } : {},
  })
const get = (reference: string, headers: Record<string, string> = {}) =>
  wire.request('GET', path(reference), { as, headers })
const head = (reference: string, headers: Record<string, string> = {}) =>
  wire.request('HEAD', path(reference), { as, headers })
/** An image unlike any other. */
const image = (more: Record<string, unknown> = {}) =>
  imageManifest(config, [layer], { annotations: { made: crypto.randomUUID() }, ...more })

describe('a manifest', () => {
  test('comes back byte by byte, by GET as by HEAD, under its tag and its digest', async () => {
    // Spaces, order, an unknown field and a line break at the end are all part of it.
    const bytes = `  ${JSON.stringify({ zebra: [1.0, 2e3], ...JSON.parse(image()) }, null, 3)}\n`
    const digest = digestOf(bytes)
    const pushed = await put('whole', bytes)
    expect(pushed.status).toBe(201)
    expect(pushed.header('location')).toBe(path(digest))
    expect(pushed.header('docker-content-digest')).toBe(digest)
    for (const reference of ['whole', digest]) {
      const got = await get(reference)
      expect(got.text()).toBe(bytes)
      expect(got.header('content-type')).toBe(OCI_MANIFEST)
      expect(got.header('content-length')).toBe(String(Buffer.byteLength(bytes)))
      expect(got.header('docker-content-digest')).toBe(digest)
      const alike = ({ fields }: typeof got) =>
        fields.filter(([name]) => !['date', 'x-request-id'].includes(name)).sort()
      expect(alike(await head(reference))).toEqual(alike(got))
      for (const method of ['GET', 'HEAD']) {
        const headers = { 'if-none-match': `"${digest}"` }
        const known = await wire.request(method, path(reference), { as, headers })
        expect([known.status, known.body.length]).toEqual([304, 0])
      }
    }
    expect((await put('whole', bytes)).status).toBe(201)
  })

  test.each([
    [OCI_MANIFEST, { mediaType: OCI_MANIFEST }, OCI_MANIFEST],
    [`${OCI_MANIFEST}; charset=utf-8`, {}, OCI_MANIFEST],
    ['', { mediaType: OCI_MANIFEST }, OCI_MANIFEST],
    ['', { mediaType: undefined }, OCI_MANIFEST],
    [DOCKER_MANIFEST, { mediaType: undefined }, DOCKER_MANIFEST],
    ['application/vnd.custom+json', { mediaType: undefined }, 'application/vnd.custom+json'],
  ])('sent as "%s" with %o is served as %s', async (type, more, served) => {
    expect((await put('typed', image(more), type)).status).toBe(201)
    expect((await get('typed', { accept: 'text/html' })).header('content-type')).toBe(served)
  })

  test('echoes the name as asked', async () => {
    for (const name of ['hello', 'library/hello']) {
      await pushBlob(wire, as, name, config)
      const bytes = imageManifest(config, [])
      const pushed = await put('v1', bytes, OCI_MANIFEST, name)
      expect(pushed.header('location')).toBe(path(digestOf(bytes), name))
    }
  })

  test.each([
    [
      'is too old',
      '{"schemaVersion":1,"name":"a","tag":"b","fsLayers":[],"history":[]}',
      '',
      'schema 1',
    ],
    [
      'is too old by its type',
      '{}',
      'application/vnd.docker.distribution.manifest.v1+prettyjws',
      'schema 1',
    ],
    ['is two things', '{"schemaVersion":2,"manifests":[],"layers":[]}', '', '"manifests" and also'],
    ['says another type', image({ mediaType: DOCKER_MANIFEST }), OCI_MANIFEST, 'Content-Type'],
    [
      'names a field twice',
      '{"schemaVersion":2,"schemaVersion":2,"manifests":[]}',
      OCI_INDEX,
      'twice',
    ],
    [
      'begins with a mark',
      '\ufeff{"schemaVersion":2,"manifests":[]}',
      OCI_INDEX,
      'byte order mark',
    ],
    ['goes on after its end', '{"schemaVersion":2,"manifests":[]} x', OCI_INDEX, 'JSON'],
    [
      'is nested deeply',
      `{"schemaVersion":2,"manifests":[],"x":${'['.repeat(10_000)}`,
      OCI_INDEX,
      'nested',
    ],
    [
      'has a negative size',
      '{"schemaVersion":2,"manifests":[{"mediaType":"a/b","size":-1,"digest":"a:b"}]}',
      OCI_INDEX,
      'size',
    ],
    ['is an array', '[]', OCI_INDEX, 'object'],
    ['is nothing', '', OCI_MANIFEST, 'JSON'],
    ['is a page', '<html></html>', 'text/html', 'JSON'],
  ])('that %s is refused, and the answer says so', async (_, body, type, says) => {
    const answer = await put('bad', body, type)
    expect([answer.status, errorOf(answer).code]).toEqual([400, 'MANIFEST_INVALID'])
    expect(errorOf(answer).message).toContain(says)
    expect((await head('bad')).status).toBe(404)
  })

  test('may have 4 MiB and not a byte more', async () => {
    const short = image({ annotations: { filling: '' } })
    const filled = (size: number) =>
      short.replace('"filling":""', `"filling":"${'x'.repeat(size - short.length)}"`)
    const largest = filled(LIMIT)
    expect(largest.length).toBe(LIMIT)
    expect((await put('largest', largest)).status).toBe(201)
    expect((await get('largest')).text()).toBe(largest)
    const answer = await put('larger', filled(LIMIT + 1))
    expect([answer.status, errorOf(answer).code]).toEqual([413, 'SIZE_INVALID'])
    expect((await head('larger')).status).toBe(404)
  })

  test('with blobs that are not there is refused with each of them by name', async () => {
    const missing = [randomBlob(9), randomBlob(9)]
    const answer = await put('missing', imageManifest(config, [...missing, layer]))
    expect(answer.status).toBe(404)
    const { errors } = answer.json<{ errors: { code: string; detail: { digest: string } }[] }>()
    expect(errors.map(({ code, detail }) => [code, detail.digest])).toEqual(
      missing.map((bytes) => ['MANIFEST_BLOB_UNKNOWN', digestOf(bytes)]),
    )
  })

  test('may have layers that are not distributed', async () => {
    const foreign = {
      ...descriptorOf('far away', 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'),
      urls: ['https://example.com/layer'],
    }
    const body = image({ mediaType: DOCKER_MANIFEST, layers: [foreign] })
    expect((await put('foreign', body, DOCKER_MANIFEST)).status).toBe(201)
  })

  test('under a digest that is not its own is 400', async () => {
    for (const algorithm of ['sha256', 'sha512'] as const) {
      const answer = await put(digestOf('another', algorithm), image())
      expect([answer.status, errorOf(answer).code]).toEqual([400, 'DIGEST_INVALID'])
    }
    expect((await put('sha256:baddigeststring', image())).status).toBe(400)
    expect((await put('.bad-tag', image())).status).toBe(400)
    expect((await put('x'.repeat(129), image())).status).toBe(400)
  })

  test('under sha512 is there under it, with its tags', async () => {
    const bytes = image()
    const digest = digestOf(bytes, 'sha512')
    const pushed = await put(`${digest}?tag=under-sha512`, bytes)
    expect([pushed.status, pushed.header('docker-content-digest')]).toEqual([201, digest])
    for (const reference of [digest, 'under-sha512']) {
      expect((await get(reference)).header('docker-content-digest')).toBe(digest)
      expect((await head(reference)).header('docker-content-digest')).toBe(digest)
    }
    // By a tag alone it is sha256 again.
    expect((await put('under-sha512', bytes)).header('docker-content-digest')).toBe(digestOf(bytes))
  })

  test('that refers to another says so', async () => {
    const subject = { ...descriptorOf('never pushed', OCI_MANIFEST) }
    const pushed = await put('subject', image({ subject }))
    expect([pushed.status, pushed.header('oci-subject')]).toEqual([201, subject.digest])
    expect((await put('none', image())).header('oci-subject')).toBeUndefined()
  })
})

describe('an index', () => {
  test('whose images are missing is taken with a warning', async () => {
    const manifests = [descriptorOf('one', OCI_MANIFEST), descriptorOf('two', OCI_MANIFEST)]
    const answer = await put('sparse', JSON.stringify({ schemaVersion: 2, manifests }), OCI_INDEX)
    expect(answer.status).toBe(201)
    expect(answer.header('warning')).toMatch(/^299 - "2 manifests of this index are not [^"]+"$/)
  })

  test('of images and of blobs that are there, or of none at all, has no warning', async () => {
    const { manifest } = await pushImage(wire, as, NAME, 'child')
    const manifests = [descriptorOf(manifest, OCI_MANIFEST), descriptorOf(layer, 'a/b')]
    for (const children of [manifests, []]) {
      const body = JSON.stringify({ schemaVersion: 2, manifests: children })
      const answer = await put('index', body, OCI_INDEX)
      expect([answer.status, answer.header('warning')]).toEqual([201, undefined])
    }
  })
})

describe('several tags at once', () => {
  const many = (tags: string[]) => tags.map((tag) => `tag=${tag}`).join('&')

  test('are all set, and all named', async () => {
    const tags = Array.from({ length: 25 }, (_, i) => `many-${i}`)
    const bytes = image()
    const pushed = await put(`${digestOf(bytes)}?${many(tags)}`, bytes)
    expect(pushed.status).toBe(201)
    const named = pushed.fields
      .filter(([name]) => name === 'oci-tag')
      .flatMap(([, value]) => value.split(', '))
    expect(named).toEqual(tags)
    for (const tag of tags) {
      expect((await head(tag)).header('docker-content-digest')).toBe(digestOf(bytes))
    }
  })

  test('are all refused when one is none, or is immutable', async () => {
    const kept = image()
    await put('kept', kept)
    await server.registry.tags.protect(
      { project: 'team', path: 'manifests', full: NAME },
      'kept',
      true,
    )
    const bytes = image()
    const cases = [
      ['first', 'kept', 'last', 403, 'DENIED'],
      ['first', '-bad-', 'last', 400, 'MANIFEST_INVALID'],
      ['first', '', 'last', 400, 'MANIFEST_INVALID'],
    ] as const
    for (const [first, second, last, status, code] of cases) {
      const answer = await put(`${digestOf(bytes)}?${many([first, second, last])}`, bytes)
      expect([answer.status, errorOf(answer).code]).toEqual([status, code])
      for (const reference of [first, last, digestOf(bytes)]) {
        expect((await head(reference)).status).toBe(404)
      }
    }
    expect((await head('kept')).header('docker-content-digest')).toBe(digestOf(kept))
    // The same again changes nothing, so nothing is refused.
    expect((await put('kept', kept)).status).toBe(201)
  })
})

describe('deleting', () => {
  test('a tag leaves the manifest, and a manifest takes its tags along', async () => {
    const bytes = image()
    const digest = digestOf(bytes)
    await put(`${digest}?tag=d1&tag=d2&tag=d3`, bytes)
    const erase = (reference: string) => wire.request('DELETE', path(reference), { as })
    expect((await erase('d1')).status).toBe(202)
    expect([(await head('d1')).status, (await head('d2')).status]).toEqual([404, 200])
    expect((await erase(digest)).status).toBe(202)
    for (const reference of [digest, 'd2', 'd3']) {
      const gone = await get(reference)
      expect([gone.status, errorOf(gone).code]).toEqual([404, 'MANIFEST_UNKNOWN'])
      expect((await erase(reference)).status).toBe(404)
    }
    expect((await put('d2', bytes)).status).toBe(201)
  })

  test('what is not there is 404, by the kind of what is missing', async () => {
    const nowhere = await wire.request('DELETE', path('latest', 'team/nowhere'), { as })
    expect([nowhere.status, errorOf(nowhere).code]).toEqual([404, 'NAME_UNKNOWN'])
    const unknown = await get('no-such-tag')
    expect([unknown.status, errorOf(unknown).code]).toEqual([404, 'MANIFEST_UNKNOWN'])
    expect((await get('sha256:totallywrong')).status).toBe(400)
  })
})

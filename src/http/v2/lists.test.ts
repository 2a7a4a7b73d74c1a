import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import {
  descriptorOf,
  digestOf,
  imageManifest,
  OCI_INDEX,
  OCI_MANIFEST,
  pushBlob,
  pushImage,
} from '../test-content.ts'
import { errorOf } from '../test-form.ts'
import { basic, PASSWORD, startTestServer, type TestServer } from '../test-server.ts'
import type { Wire } from '../test-wire.ts'

setDefaultTimeout(60_000)

let server: TestServer
let wire: Wire
let as: string
beforeAll(async () => {
  server = await startTestServer()
  wire = server.connect()
  as = server.admin
})
afterAll(() => server.stop())

const get = (path: string, who = as) => wire.request('GET', path, { as: who })

/** Follows `Link` to the end, as a client does: it must stay on the same host. */
async function pages<T>(path: string, field: string, who = as): Promise<T[][]> {
  const found: T[][] = []
  for (let next: string | undefined = path; next !== undefined && found.length < 100; ) {
    const answer = await get(next, who)
    expect(answer.status).toBe(200)
    found.push(answer.json<Record<string, T[]>>()[field] ?? [])
    const link = answer.header('link')
    expect(link === undefined || /^<\/v2\/[\x21-\x7e]*>; rel="next"$/.test(link)).toBeTrue()
    next = link?.slice(1, link.indexOf('>'))
  }
  return found
}

describe('tags', () => {
  const NAME = 'team/tagged'
  const path = `/v2/${NAME}/tags/list`
  const sorted = ['1.0', 'A', 'B1', '_x', 'a', 'b', 'b-1', 'b.1', 'c']
  beforeAll(async () => {
    await pushBlob(wire, as, NAME, '{}')
    const query = sorted
      .toReversed()
      .map((tag) => `tag=${tag}`)
      .join('&')
    const bytes = imageManifest('{}', [])
    const target = `/v2/${NAME}/manifests/${digestOf(bytes)}?${query}`
    await wire.request('PUT', target, {
      as,
      body: bytes,
      headers: { 'content-type': OCI_MANIFEST },
    })
  })
  const tags = async (query: string) => {
    const answer = await get(`${path}${query}`)
    expect(answer.status).toBe(200)
    return answer.json<{ tags: string[] }>().tags
  }

  test('are listed in the order of their bytes', async () => {
    const answer = await get(path)
    expect(answer.text()).toBe(JSON.stringify({ name: NAME, tags: sorted }))
    expect(answer.header('content-type')).toBe('application/json')
    expect(answer.header('link')).toBeUndefined()
  })

  test.each([1, 2, 4, 9])('come in pages of %d', async (n) => {
    const found = await pages<string>(`${path}?n=${n}`, 'tags')
    expect(found.flat()).toEqual(sorted)
    expect(found.slice(0, -1).every((page) => page.length === n)).toBeTrue()
    // The last page is not empty, and has no Link to one that would be.
    expect(found.length).toBe(Math.ceil(sorted.length / n))
  })

  test('n may be nothing or too much, but must be a number', async () => {
    const none = await get(`${path}?n=0`)
    expect([none.text(), none.header('link')]).toEqual([`{"name":"${NAME}","tags":[]}`, undefined])
    for (const n of ['1000000000', '9'.repeat(400), '010000']) {
      expect(await tags(`?n=${n}`)).toEqual(sorted)
    }
    for (const n of ['-1', '1e9', '', ' 1', '1.5', 'ten', '0x10', '%00', '٣']) {
      const answer = await get(`${path}?n=${encodeURIComponent(n)}`)
      expect([n, answer.status]).toEqual([n, 400])
    }
  })

  test('last is compared, whatever it is', async () => {
    expect(await tags('?last=b')).toEqual(['b-1', 'b.1', 'c'])
    expect(await tags('?last=b&n=1')).toEqual(['b-1'])
    expect(await tags('?last=nothing-like-it')).toEqual([])
    expect(await tags('?last=B')).toEqual(sorted.slice(2))
    expect(await tags('?last=')).toEqual(sorted)
    expect(await tags('?last=zzz')).toEqual([])
    for (const last of ['%00', 'b%00']) {
      expect((await get(`${path}?last=${last}`)).status).toBe(400)
    }
    expect(await tags('?last=%F0%9F%90%8B')).toEqual([])
    expect(await tags('?last=%ff%fe')).toEqual([])
    expect(await tags(`?last=${'z'.repeat(50_000)}`)).toEqual([])
    expect(await tags(`?last=${encodeURIComponent("' OR 1=1 --")}`)).toEqual(sorted)
  })

  test('of a repository that was never pushed to is 404', async () => {
    const answer = await get('/v2/team/never/tags/list')
    expect([answer.status, errorOf(answer).code]).toEqual([404, 'NAME_UNKNOWN'])
  })

  test('echo the name as asked, in the link too', async () => {
    await pushImage(wire, as, 'hello', 'one')
    await pushImage(wire, as, 'hello', 'two')
    for (const name of ['hello', 'library/hello']) {
      const answer = await get(`/v2/${name}/tags/list?n=1`)
      expect(answer.json().name).toBe(name)
      expect(answer.header('link')).toBe(`</v2/${name}/tags/list?n=1&last=one>; rel="next"`)
    }
  })
})

describe('the catalog', () => {
  const names = ['library/hello', 'open/b', 'own/a', 'own/a/deep', 'own/c', 'own-too/x', 'secret/s']
  beforeAll(async () => {
    const { accounts, registry, db } = server
    const { id } = await accounts.users.create({ name: 'dora', password: PASSWORD })
    for (const name of ['open', 'own', 'own-too', 'secret', 'empty']) {
      const project = await db.transaction((tx) =>
        registry.projects.create(tx, { name, isPublic: name === 'open', createdBy: null }),
      )
      if (name.startsWith('own')) await accounts.members.put(project.id, id, 'guest')
    }
    for (const name of names) await pushImage(wire, as, name, 'latest')
    // With blobs only it is no repository yet.
    await pushBlob(wire, as, 'own/blobs-only', 'x')
  })
  const list = async (path: string, who: string) =>
    (await get(path, who)).json<{ repositories: string[] }>().repositories
  const dora = basic('dora')
  const hers = ['library/hello', 'open/b', 'own/a', 'own/a/deep', 'own/c', 'own-too/x']

  test('shows what may be pulled', async () => {
    expect(await list('/v2/_catalog', dora)).toEqual(hers)
    const all = await list('/v2/_catalog', as)
    expect(all.filter((name) => !name.startsWith('team/'))).toEqual(names)
    expect((await wire.request('GET', '/v2/_catalog')).status).toBe(401)
  })

  test.each([1, 2, 4])('comes in pages of %d, which only the visible fill', async (n) => {
    const found = await pages<string>(`/v2/_catalog?n=${n}`, 'repositories', dora)
    expect(found.flat()).toEqual(hers)
    expect(found.length).toBe(Math.ceil(hers.length / n))
  })

  test('goes on after any name, and takes no wrong n', async () => {
    expect(await list('/v2/_catalog?last=own/b', dora)).toEqual(['own/c', 'own-too/x'])
    expect(await list('/v2/_catalog?last=zzz/zzz', dora)).toEqual([])
    const none = await get('/v2/_catalog?n=0', dora)
    expect([none.text(), none.header('link')]).toEqual(['{"repositories":[]}', undefined])
    for (const n of ['-1', 'x', '']) expect((await get(`/v2/_catalog?n=${n}`)).status).toBe(400)
    for (const last of ['..%2F..', 'UPPER', '%ff', 'own/', '/own', 'z'.repeat(5_000)]) {
      expect((await get(`/v2/_catalog?n=1000000000&last=${last}`, dora)).status).toBe(200)
    }
  })
})

describe('referrers', () => {
  const NAME = 'team/referred'
  const subject = descriptorOf('the subject', OCI_MANIFEST)
  const path = `/v2/${NAME}/referrers/${subject.digest}`
  const pushed: { digest: string; type: string | undefined }[] = []
  beforeAll(async () => {
    await pushBlob(wire, as, NAME, '{}')
    for (const [i, type] of ['a/sig', 'a/sig', 'a/sbom', undefined].entries()) {
      const annotations = { number: String(i) }
      const bytes = imageManifest('{}', [], { subject, annotations, artifactType: type })
      await wire.request('PUT', `/v2/${NAME}/manifests/${digestOf(bytes)}`, {
        as,
        body: bytes,
        headers: { 'content-type': OCI_MANIFEST },
      })
      pushed.push({
        digest: digestOf(bytes),
        type: type ?? 'application/vnd.oci.image.config.v1+json',
      })
    }
    const index = JSON.stringify({ schemaVersion: 2, manifests: [], subject })
    await wire.request('PUT', `/v2/${NAME}/manifests/an-index`, {
      as,
      body: index,
      headers: { 'content-type': OCI_INDEX },
    })
    pushed.push({ digest: digestOf(index), type: undefined })
  })
  type Entry = { digest: string; artifactType?: string; annotations?: Record<string, string> }

  test('are an index of all that refer, each with its own type and annotations', async () => {
    const answer = await get(path)
    expect(answer.header('content-type')).toBe(OCI_INDEX)
    const body = answer.json<{ schemaVersion: number; mediaType: string; manifests: Entry[] }>()
    expect([body.schemaVersion, body.mediaType]).toEqual([2, OCI_INDEX])
    const seen = body.manifests.map(({ digest, artifactType: type }) => ({ digest, type }))
    const byDigest = (a: Entry, b: Entry) => (a.digest < b.digest ? -1 : 1)
    expect(seen.sort(byDigest)).toEqual(pushed.toSorted(byDigest))
    const numbers = body.manifests.map(({ annotations }) => annotations?.number)
    expect(numbers.sort()).toEqual(['0', '1', '2', '3', undefined])
  })

  test('are filtered by one type or by several', async () => {
    for (const [query, count] of [
      ['artifactType=a/sig', 2],
      ['artifactType=a/sig&artifactType=a/sbom', 3],
      ['artifactType=none', 0],
    ] as const) {
      const answer = await get(`${path}?${query}`)
      expect([query, answer.json<{ manifests: Entry[] }>().manifests.length]).toEqual([
        query,
        count,
      ])
      expect(answer.header('oci-filters-applied')).toBe('artifactType')
    }
    expect((await get(path)).header('oci-filters-applied')).toBeUndefined()
  })

  test.each([1, 2, 5])('come in pages of %d, filtered too', async (n) => {
    const all = await pages<Entry>(`${path}?n=${n}`, 'manifests')
    expect(all.flat().map(({ digest }) => digest)).toEqual(
      pushed.map(({ digest }) => digest).sort(),
    )
    expect(all.length).toBe(Math.ceil(5 / n))
    const some = await pages<Entry>(
      `${path}?n=${n}&artifactType=a/sig&artifactType=a/sbom`,
      'manifests',
    )
    expect([some.flat().length, some.length]).toEqual([3, Math.ceil(3 / n)])
  })

  test('of what nobody ever pushed are none', async () => {
    const empty = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }
    const never = [
      `team/never/referrers/${subject.digest}`,
      `${NAME}/referrers/${digestOf('x', 'sha512')}`,
    ]
    for (const where of never) {
      const answer = await get(`/v2/${where}`)
      expect([answer.status, answer.text()]).toEqual([200, JSON.stringify(empty)])
    }
    for (const digest of ['sha256:bad', 'latest', `md5:${'0'.repeat(32)}`]) {
      const answer = await get(`/v2/${NAME}/referrers/${digest}`)
      expect([answer.status, errorOf(answer).code]).toEqual([400, 'DIGEST_INVALID'])
    }
  })

  test('are gone when they are deleted', async () => {
    await wire.request('DELETE', `/v2/${NAME}/manifests/an-index`, { as })
    expect((await pages<Entry>(path, 'manifests')).flat().length).toBe(5)
    await wire.request('DELETE', `/v2/${NAME}/manifests/${pushed[4]?.digest}`, { as })
    expect((await pages<Entry>(path, 'manifests')).flat().length).toBe(4)
  })
})

test('there are no extensions, and that can be asked', async () => {
  const answer = await get('/v2/_oci/ext/discover')
  expect([answer.status, answer.text()]).toEqual([200, '{"extensions":[]}'])
})

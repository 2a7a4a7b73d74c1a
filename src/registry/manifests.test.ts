import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { codeOf } from '../accounts/test-accounts.ts'
import type { AppError } from '../lib/errors.ts'
import type { Digest } from '../oci/digest.ts'
import { MEDIA_TYPE } from '../oci/media-types.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import {
  createTestRegistry,
  descriptorOf,
  digestOf,
  imageOf,
  indexOf,
  nameOf,
  noise,
  pushBlob,
  pusher,
  pushImage,
  pushManifest,
  readBlob,
  refTo,
  type TestManifest,
  type TestProcess,
  type TestRegistry,
} from './test-registry.ts'

onEachEngine('manifests', (create) => {
  let registry: TestRegistry
  let first: TestProcess
  let second: TestProcess
  let sparse: TestProcess

  beforeAll(async () => {
    registry = await createTestRegistry(create)
    first = registry.first
    second = registry.anotherProcess()
    sparse = registry.anotherProcess({ sparse: true })
  })
  afterAll(() => registry.remove())
  // With the sparse setting manifests may lack blobs, and some tests here push such.
  afterEach(async () => expect(await registry.problems({ sparse: true })).toEqual([]))

  const byDigest = (digest: Digest) => ({ kind: 'digest', digest }) as const
  const byTag = (tag: string) => ({ kind: 'tag', tag }) as const

  async function expectSame(name: string, manifest: TestManifest, tag?: string) {
    for (const reference of [byDigest(manifest.digest), ...(tag ? [byTag(tag)] : [])]) {
      const got = await second.manifests.get(nameOf(name), reference)
      expect(Buffer.compare(got.bytes, manifest.bytes)).toBe(0)
      const { digest, mediaType, bytes } = manifest
      const expected = { digest, mediaType, size: bytes.length }
      expect(got).toMatchObject(expected)
      expect(await first.manifests.head(nameOf(name), reference)).toMatchObject(expected)
    }
  }

  async function errorOf(work: Promise<unknown>): Promise<AppError> {
    return work.then(
      () => {
        throw new Error('nothing failed')
      },
      (error: AppError) => error,
    )
  }

  async function unreferencedSince(name: string, bytes: Uint8Array) {
    return (await first.blobs.get(nameOf(name), digestOf(bytes))).unreferencedSince
  }

  test('come back byte for byte, by tag and by digest', async () => {
    const config = noise(10, 1)
    await pushBlob(first, 'bytes/app', config)
    const texts = [
      `{"schemaVersion":2,"config":{"digest":"${digestOf(config)}","size":10},"layers":[]}`,
      ` {\n\t"layers" : [ ],"config":{"size":1e1,"digest":"${digestOf(config)}","x":"\\u00e9é"},"schemaVersion":2.0}\r\n `,
      `{"a":1.0e400,"schemaVersion":2,"b":12345678901234567890,"config":{"digest":"${digestOf(config)}","size":10}}`,
    ]
    for (const [i, text] of texts.entries()) {
      const bytes = new TextEncoder().encode(text)
      const manifest = { bytes, mediaType: MEDIA_TYPE.ociManifest, digest: digestOf(bytes) }
      const pushed = await pushManifest(first, 'bytes/app', manifest, { tag: `t${i}` })
      expect(pushed).toEqual({ digest: manifest.digest, subject: undefined, warnings: [] })
      await expectSame('bytes/app', manifest, `t${i}`)
    }
  })

  test('of 4 MiB with 10,000 layers are taken', async () => {
    const layer = noise(10, 2)
    await pushBlob(first, 'large/app', layer)
    const layers = Array.from({ length: 10_000 }, (_, i) => ({
      ...descriptorOf(layer, 'application/x'),
      annotations: { i: `${i}` },
    }))
    const image = imageOf([layer], { layers, pad: 'x'.repeat(2_000_000) })
    await pushManifest(first, 'large/app', image, { tag: 'latest' })
    await expectSame('large/app', image, 'latest')
    await first.manifests.remove(nameOf('large/app'), image.digest, null)
    expect(await unreferencedSince('large/app', layer)).not.toBeNull()
  })

  test('whose blobs are missing are refused, each of them named', async () => {
    const [config, present, ...absent] = [3, 4, 5, 6, 7].map((seed) => noise(20, seed))
    if (!config || !present) throw new Error('no blobs')
    await pushBlob(first, 'missing/app', config)
    await pushBlob(first, 'missing/app', present)
    // What is in another repository is not in this one.
    for (const bytes of absent) await pushBlob(first, 'missing/other', bytes)
    const put = pushManifest(first, 'missing/app', imageOf([config, present, ...absent, ...absent]))
    const error = await errorOf(put)
    expect(error.code).toBe('manifest_blob_unknown')
    expect(error.details.problems?.map((problem) => problem.detail)).toEqual(
      absent.map((bytes) => ({ digest: digestOf(bytes) })),
    )
    expect(await codeOf(first.manifests.get(nameOf('missing/app'), byTag('latest')))).toBe(
      'manifest_unknown',
    )
  })

  test('whose digest is another one are refused', async () => {
    const image = await pushImage(first, 'digest/app', [noise(10, 8)])
    const wrong = { ...image, digest: digestOf(noise(1)) }
    expect(await codeOf(pushManifest(first, 'digest/app', wrong))).toBe('digest_mismatch')
    const sha512 = { ...image, digest: digestOf(noise(1), 'sha512') }
    expect(await codeOf(pushManifest(first, 'digest/app', sha512))).toBe('digest_mismatch')
    const bad = { ...image, bytes: noise(10), digest: digestOf(noise(10)) }
    expect(await codeOf(pushManifest(first, 'digest/app', bad))).toBe('manifest_invalid')
  })

  test('may lack blobs where the settings say so, and are told', async () => {
    const [config, layer] = [noise(10, 9), noise(20, 10)]
    await pushBlob(first, 'sparse/app', config)
    const image = imageOf([config, layer])
    const { warnings } = await pushManifest(sparse, 'sparse/app', image, { tag: 'latest' })
    expect(warnings.length).toBe(1)
    expect(warnings[0]).toMatch(/^\d+ blobs? of this image (is|are) not in the repository/)
    await expectSame('sparse/app', image, 'latest')
    // The blob that comes later is referred to from the start.
    await pushBlob(first, 'sparse/app', layer)
    expect(await unreferencedSince('sparse/app', layer)).toBeNull()
    expect((await pushManifest(sparse, 'sparse/app', image)).warnings).toEqual([])
    await first.manifests.remove(nameOf('sparse/app'), image.digest, null)
    expect(await unreferencedSince('sparse/app', layer)).not.toBeNull()
  })

  test('need no layers that are not distributed, nor digests that nobody computes', async () => {
    const config = noise(10, 11)
    await pushBlob(first, 'foreign/app', config)
    const foreign = [
      {
        ...descriptorOf(
          noise(1, 12),
          'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
        ),
      },
      { ...descriptorOf(noise(2, 12), 'application/x'), urls: ['https://example.com/layer'] },
      { mediaType: 'application/x', size: 3, digest: 'blake3:0123abcDEF' },
    ]
    const image = imageOf([config], { layers: foreign })
    expect((await pushManifest(first, 'foreign/app', image)).warnings).toEqual([])
    await expectSame('foreign/app', image)
  })

  test('of an index may have parts that are missing, manifests or blobs', async () => {
    const name = 'index/app'
    const part = await pushImage(first, name, [noise(10, 13)])
    const blob = noise(5_000, 14)
    await pushBlob(first, name, blob)
    const later = imageOf([noise(10, 13)], { annotations: { later: '1' } })
    const index = indexOf([
      refTo(part),
      descriptorOf(blob, 'application/vnd.buildkit.cacheconfig.v0'),
      refTo(later),
    ])
    const { warnings } = await pushManifest(first, name, index, { tag: 'latest' })
    expect(warnings.length).toBe(1)
    expect(warnings[0]).toMatch(/^\d+ manifests? of this index (is|are) not in the repository/)
    await expectSame(name, index, 'latest')
    expect(await unreferencedSince(name, blob)).toBeNull()
    expect(await codeOf(first.blobs.remove(nameOf(name), digestOf(blob)))).toBe('in_use')
    await pushManifest(first, name, later)
    expect((await pushManifest(first, name, index)).warnings).toEqual([])
    await first.manifests.remove(nameOf(name), index.digest, null)
    expect(await unreferencedSince(name, blob)).not.toBeNull()
    await first.blobs.remove(nameOf(name), digestOf(blob))
  })

  test('of an index without parts, and one that holds itself, are taken', async () => {
    const empty = indexOf([])
    expect((await pushManifest(first, 'index/odd', empty)).warnings).toEqual([])
    const nested = indexOf([refTo(empty), refTo(empty)])
    expect((await pushManifest(first, 'index/odd', nested)).warnings).toEqual([])
    for (const manifest of [nested, empty]) {
      await first.manifests.remove(nameOf('index/odd'), manifest.digest, null)
    }
  })

  test('with the same bytes under sha256 and sha512 are two, of one content', async () => {
    const name = 'twice/app'
    const image = await pushImage(first, name, [noise(10, 15)], { tag: 'a' })
    const sha512 = { ...image, digest: digestOf(image.bytes, 'sha512') }
    await pushManifest(first, name, sha512, { tags: ['b'] })
    await pushManifest(first, name, sha512, { tag: sha512.digest, tags: ['b', 'c'] })
    expect((await first.manifests.head(nameOf(name), byTag('a'))).digest).toBe(image.digest)
    for (const tag of ['b', 'c']) {
      expect((await second.manifests.head(nameOf(name), byTag(tag))).digest).toBe(sha512.digest)
    }
    await first.manifests.remove(nameOf(name), image.digest, null)
    await expectSame(name, sha512, 'b')
    expect(await codeOf(first.manifests.head(nameOf(name), byTag('a')))).toBe('manifest_unknown')
    expect(await unreferencedSince(name, noise(10, 15))).toBeNull()
  })

  test('whose bytes are a blob too are read either way', async () => {
    const name = 'both/app'
    const image = imageOf([noise(10, 16)], { pad: 'x'.repeat(10_000) })
    await pushBlob(first, name, noise(10, 16))
    await pushBlob(first, name, image.bytes)
    await pushManifest(first, name, image)
    await expectSame(name, image)
    expect(Buffer.compare(await readBlob(second, name, image.digest), image.bytes)).toBe(0)
    await first.blobs.remove(nameOf(name), image.digest)
    await expectSame(name, image)
  })

  test('that were deleted can be pushed again, and are new', async () => {
    const name = 'again/app'
    const image = await pushImage(first, name, [noise(10, 17)], { tag: 'latest' })
    for (let round = 0; round < 3; round++) {
      await second.manifests.remove(nameOf(name), image.digest, null)
      expect(await codeOf(first.manifests.get(nameOf(name), byDigest(image.digest)))).toBe(
        'manifest_unknown',
      )
      expect(await codeOf(first.manifests.get(nameOf(name), byTag('latest')))).toBe(
        'manifest_unknown',
      )
      expect(await codeOf(first.manifests.remove(nameOf(name), image.digest, null))).toBe(
        'manifest_unknown',
      )
      await pushManifest(first, name, image, { tag: 'latest' })
      await expectSame(name, image, 'latest')
    }
    const trash = await first.db.query
      .selectFrom('manifest')
      .select(['state', 'trash_reason'])
      .where('digest', '=', image.digest)
      .orderBy('id')
      .execute()
    expect(trash).toEqual([
      ...Array.from({ length: 3 }, () => ({ state: 'trashed' as const, trash_reason: 'delete' })),
      { state: 'live', trash_reason: null },
    ])
  })

  test('that others need can be kept from deletion', async () => {
    const name = 'kept/app'
    const part = await pushImage(first, name, [noise(10, 18)])
    const index = indexOf([refTo(part)])
    await pushManifest(first, name, index)
    const signature = await pushImage(first, name, [noise(11, 18)], {
      more: { subject: refTo(index) },
    })
    const remove = (digest: Digest, options: object) =>
      codeOf(first.manifests.remove(nameOf(name), digest, null, options))
    expect(await remove(part.digest, { refuseReferenced: true })).toBe('in_use')
    expect(await remove(index.digest, { refuseSubjects: true })).toBe('in_use')
    expect(await remove(index.digest, { refuseReferenced: true })).toBe('none')
    expect(await remove(part.digest, { refuseReferenced: true, refuseSubjects: true })).toBe('none')
    expect(await remove(signature.digest, { refuseReferenced: true, refuseSubjects: true })).toBe(
      'none',
    )
  })

  test('in names that do not exist are unknown, and of projects that may not be made refused', async () => {
    expect(await codeOf(first.manifests.get(nameOf('nobody/app'), byTag('a')))).toBe(
      'repository_unknown',
    )
    expect(
      await codeOf(first.manifests.remove(nameOf('nobody/app'), digestOf(noise(1)), null)),
    ).toBe('repository_unknown')
    const outsider = { ...pusher, mayCreateProject: false }
    const put = pushManifest(first, 'nobody/app', indexOf([]), { as: outsider })
    expect(await codeOf(put)).toBe('project_unknown')
    expect(await codeOf(pushManifest(first, 'system/app', indexOf([])))).toBe('name_invalid')
    expect(await first.projects.get('nobody')).toBeUndefined()
  })
})

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import type { Digest } from '../oci/digest.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import {
  createTestRegistry,
  digestOf,
  imageOf,
  indexOf,
  nameOf,
  noise,
  pushBlob,
  pushImage,
  pushManifest,
  refTo,
  type TestManifest,
  type TestProcess,
  type TestRegistry,
} from './test-registry.ts'

onEachEngine('lists', (create) => {
  let registry: TestRegistry
  let first: TestProcess
  let second: TestProcess

  beforeAll(async () => {
    registry = await createTestRegistry(create)
    first = registry.first
    second = registry.anotherProcess()
  })
  afterAll(() => registry.remove())
  afterEach(async () => expect(await registry.problems()).toEqual([]))

  describe('of referrers', () => {
    const name = 'referrers/app'
    let subject: TestManifest
    const list = (
      page: Partial<{ artifactTypes: string[]; after: string; limit: number }> = {},
      of?: Digest,
    ) =>
      second.referrers.list(nameOf(name), of ?? subject.digest, {
        artifactTypes: [],
        limit: 100,
        ...page,
      })
    const digests = async (...args: Parameters<typeof list>) =>
      (await list(...args)).map((one) => one.digest)

    beforeAll(async () => {
      subject = await pushImage(first, name, [noise(10, 1)], { tag: 'latest' })
    })

    test('are empty for what nobody refers to, pushed or not', async () => {
      expect(await list({}, digestOf(noise(1)))).toEqual([])
      expect(await list({}, digestOf(noise(1), 'sha512'))).toEqual([])
      const page = { artifactTypes: [], limit: 10 }
      expect(await second.referrers.list(nameOf('never/pushed'), subject.digest, page)).toEqual([])
    })

    test('have what each is, in the order of the digests, filtered and page by page', async () => {
      const config = noise(2, 2)
      await pushBlob(first, name, config)
      const images = ['sbom', 'sbom', 'signature', ''].map((type, i) =>
        imageOf([config], {
          subject: refTo(subject),
          annotations: { i: `${i}`, __proto__x: '"' },
          ...(type ? { artifactType: `application/${type}` } : {}),
        }),
      )
      const index = indexOf([], { subject: refTo(subject), artifactType: 'application/sbom' })
      const plain = indexOf([], { subject: refTo(subject) })
      const all = [...images, index, plain]
      for (const manifest of all) {
        const pushed = await pushManifest(first, name, manifest)
        expect(pushed.subject).toBe(subject.digest)
        await pushManifest(first, name, manifest)
      }
      const sorted = all.map((one) => one.digest).sort()
      expect(await digests()).toEqual(sorted)
      const listed = new Map((await list()).map((one) => [one.digest, one]))
      const [sbom] = images
      if (!sbom) throw new Error('no image')
      expect(listed.get(sbom.digest)).toEqual({
        mediaType: sbom.mediaType,
        digest: sbom.digest,
        size: sbom.bytes.length,
        artifactType: 'application/sbom',
        annotations: { i: '0', __proto__x: '"' },
      })
      // Without an own type an image has that of its config, an index none.
      const last = images.at(-1)?.digest ?? ''
      expect(listed.get(last)?.artifactType).toBe('application/vnd.oci.image.config.v1+json')
      expect(listed.get(plain.digest)).toEqual({
        mediaType: plain.mediaType,
        digest: plain.digest,
        size: plain.bytes.length,
      })

      const sboms = [images[0], images[1], index].map((one) => one?.digest ?? '').sort()
      expect(await digests({ artifactTypes: ['application/sbom'] })).toEqual(sboms)
      expect(await digests({ artifactTypes: ['application/none'] })).toEqual([])
      expect(
        (await digests({ artifactTypes: ['application/sbom', 'application/signature'] })).length,
      ).toBe(4)
      expect(await digests({ limit: 2 })).toEqual(sorted.slice(0, 2))
      expect(await digests({ limit: 3, after: sorted[1] ?? '' })).toEqual(sorted.slice(2, 5))

      await first.manifests.remove(nameOf(name), index.digest, null)
      expect(await digests()).toEqual(sorted.filter((digest) => digest !== index.digest))
      // Who lost the subject is still listed, and so is who comes before it.
      await first.manifests.remove(nameOf(name), subject.digest, null)
      expect((await digests()).length).toBe(5)
      const early = imageOf([config], {
        subject: { ...refTo(subject), digest: digestOf(noise(3)) },
      })
      await pushManifest(first, name, early)
      expect(await digests({}, digestOf(noise(3)))).toEqual([early.digest])
    })

    test('are those of their own repository', async () => {
      await pushManifest(
        first,
        'referrers/other',
        indexOf([], { subject: refTo(subject), annotations: { x: 'y' } }),
      )
      const page = { artifactTypes: [], limit: 10 }
      expect(
        (await second.referrers.list(nameOf('referrers/other'), subject.digest, page)).length,
      ).toBe(1)
      expect((await digests()).length).toBe(5)
    })
  })

  describe('of the catalog', () => {
    const catalog = (
      visibleTo: number | null | 'all',
      page: { after?: string; limit?: number } = {},
    ) =>
      second.catalog.list({
        limit: page.limit ?? 100,
        visibleTo,
        ...(page.after ? { after: nameOf(page.after) } : {}),
      })
    let alice: number

    beforeAll(async () => {
      const { db, projects } = first
      const account = await db.query
        .insertInto('account')
        .values({
          kind: 'user',
          name: 'alice',
          email: null,
          project: null,
          expires_at: null,
          created_at: 1,
          updated_at: 1,
        })
        .returning('id')
        .executeTakeFirstOrThrow()
      alice = account.id
      await db.transaction(async (tx) => {
        await projects.create(tx, { name: 'cat-public', isPublic: true, createdBy: null })
        await projects.create(tx, { name: 'cat-alice', isPublic: false, createdBy: alice })
        await projects.create(tx, { name: 'cat-secret', isPublic: false, createdBy: null })
      })
      for (const name of ['cat-public/b', 'cat-public/a/x', 'cat-alice/app', 'cat-secret/app']) {
        await pushImage(first, name, [noise(10, 5)], { tag: 'latest' })
      }
    })

    const own = async (...args: Parameters<typeof catalog>) =>
      (await catalog(...args)).filter((name) => name.startsWith('cat-'))

    test('show everybody what is public, members what is theirs, administrators all', async () => {
      expect(await own(null)).toEqual(['cat-public/a/x', 'cat-public/b'])
      expect(await own(alice)).toEqual(['cat-alice/app', 'cat-public/a/x', 'cat-public/b'])
      expect(await own(alice + 1)).toEqual(['cat-public/a/x', 'cat-public/b'])
      expect(await own('all')).toEqual([
        'cat-alice/app',
        'cat-public/a/x',
        'cat-public/b',
        'cat-secret/app',
      ])
    })

    test('go on from any name, also one that is not shown', async () => {
      expect(await own('all', { after: 'cat-public/a' })).toEqual([
        'cat-public/a/x',
        'cat-public/b',
        'cat-secret/app',
      ])
      expect(await own(null, { after: 'cat-alice/app', limit: 1 })).toEqual(['cat-public/a/x'])
      expect(await own(null, { after: 'cat-public/b' })).toEqual([])
    })

    test('show repositories as long as they have a manifest', async () => {
      await pushBlob(first, 'cat-public/blobs', noise(10, 6))
      expect(await own(null)).not.toContain('cat-public/blobs')
      const image = await pushImage(first, 'cat-public/blobs', [noise(10, 6)])
      expect(await own(null)).toContain('cat-public/blobs')
      await first.manifests.remove(nameOf('cat-public/blobs'), image.digest, null)
      expect(await own(null)).not.toContain('cat-public/blobs')
      await first.db.transaction((tx) =>
        first.repositories.remove(tx, nameOf('cat-public/b'), null, 'test'),
      )
      expect(await own(null)).toEqual(['cat-public/a/x'])
    })

    test('follow a project that becomes private', async () => {
      const project = await first.projects.get('cat-public')
      await first.db.transaction((tx) =>
        first.projects.update(tx, project?.id ?? 0, { isPublic: false }),
      )
      expect(await own(null)).toEqual([])
      expect(await own(alice)).toEqual(['cat-alice/app'])
    })
  })
})

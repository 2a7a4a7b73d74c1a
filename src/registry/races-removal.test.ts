import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { codeOf } from '../accounts/test-accounts.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import {
  createTestRegistry,
  digestOf,
  imageOf,
  indexOf,
  nameOf,
  noise,
  pushBlob,
  pusher,
  pushImage,
  pushManifest,
  refTo,
  type TestProcess,
  type TestRegistry,
} from './test-registry.ts'
import { foldUsage } from './usage.ts'

onEachEngine('removals beside pushes', (create) => {
  let registry: TestRegistry
  let processes: TestProcess[]
  let first: TestProcess
  let second: TestProcess
  let retriesBefore = 0

  beforeAll(async () => {
    registry = await createTestRegistry(create)
    first = registry.first
    second = registry.anotherProcess()
    processes = [first, second, registry.anotherProcess()]
  })
  afterAll(() => registry.remove())
  afterEach(async () => {
    expect(await registry.problems()).toEqual([])
    const retries = registry.retries() - retriesBefore
    retriesBefore = registry.retries()
    expect(retries).toBe(0)
  })

  const process = (i: number) => processes[i % processes.length] ?? first

  async function unreferencedSince(name: string, bytes: Uint8Array) {
    const { unreferencedSince: since } = await first.blobs.get(nameOf(name), digestOf(bytes))
    return since
  }

  test('two deletions of images that share a blob leave it unreferenced', async () => {
    const name = 'two/app'
    const shared = [noise(10, 1), noise(5_000, 2), noise(20, 3)]
    for (let round = 0; round < 15; round++) {
      const images = [
        await pushImage(first, name, shared, {
          tag: 'a',
          more: { annotations: { r: `${round}a` } },
        }),
        await pushImage(first, name, [...shared].reverse(), {
          tag: 'b',
          more: { annotations: { r: `${round}b` } },
        }),
      ]
      expect(await unreferencedSince(name, shared[1] ?? noise(0))).toBeNull()
      await Promise.all(
        images.map((image, i) => process(i).manifests.remove(nameOf(name), image.digest, null)),
      )
      for (const bytes of shared) expect(await unreferencedSince(name, bytes)).not.toBeNull()
    }
  })

  test('a deletion beside a push of another image leaves the shared blob referenced', async () => {
    const name = 'shared/app'
    const shared = [noise(10, 11), noise(5_000, 12)]
    for (let round = 0; round < 15; round++) {
      const old = await pushImage(first, name, shared, {
        more: { annotations: { old: `${round}` } },
      })
      const fresh = imageOf(shared, { annotations: { fresh: `${round}` } })
      await Promise.all([
        process(0).manifests.remove(nameOf(name), old.digest, null),
        pushManifest(process(1), name, fresh, { tag: 'latest' }),
      ])
      for (const bytes of shared) expect(await unreferencedSince(name, bytes)).toBeNull()
      await first.manifests.remove(nameOf(name), fresh.digest, null)
      for (const bytes of shared) expect(await unreferencedSince(name, bytes)).not.toBeNull()
    }
  })

  test('a deletion beside pushes of the same image has an order', async () => {
    const name = 'same/app'
    for (let round = 0; round < 15; round++) {
      const image = await pushImage(first, name, [noise(10, 21), noise(20, 22)], { tag: 'latest' })
      const codes = await Promise.all([
        codeOf(process(0).manifests.remove(nameOf(name), image.digest, null)),
        codeOf(pushManifest(process(1), name, image, { tag: 'latest' })),
        codeOf(pushManifest(process(2), name, image, { tag: `t${round}` })),
      ])
      expect(codes).toEqual(['none', 'none', 'none'])
      const there = await codeOf(
        first.manifests.head(nameOf(name), { kind: 'digest', digest: image.digest }),
      )
      const since = await unreferencedSince(name, noise(20, 22))
      expect(since === null).toBe(there === 'none')
    }
  })

  test('a tag that is deleted while it is pushed is there or not, as its history says', async () => {
    const name = 'tag/app'
    const config = noise(10, 31)
    const images = [
      await pushImage(first, name, [config]),
      await pushImage(first, name, [config, noise(9)]),
    ]
    for (let round = 0; round < 20; round++) {
      const [one, two] = images
      if (!one || !two) throw new Error('no images')
      await pushManifest(first, name, one, { tag: 'latest' })
      const codes = await Promise.all([
        codeOf(process(0).tags.remove(nameOf(name), 'latest', null)),
        codeOf(pushManifest(process(1), name, round % 2 === 0 ? one : two, { tag: 'latest' })),
        codeOf(process(2).tags.remove(nameOf(name), 'latest', null)),
      ])
      expect(codes[1]).toBe('none')
      for (const code of [codes[0], codes[2]])
        expect(['none', 'manifest_unknown']).toContain(code ?? '')
      const repository = await first.repositories.find(nameOf(name))
      const moves = await first.tags.history(repository?.id ?? 0, 'latest', { limit: 1_000 })
      const tag = await first.tags.find(repository?.id ?? 0, 'latest')
      expect(moves[0]?.newDigest ?? undefined).toBe(tag?.digest)
      for (const [i, move] of moves.entries()) {
        expect(moves[i + 1]?.newDigest ?? null).toBe(move.oldDigest)
      }
    }
  })

  test('a blob that is deleted while an image of it is pushed stays, or the image is refused', async () => {
    const name = 'blob/app'
    for (let round = 0; round < 15; round++) {
      const [config, layer] = [noise(10, 41), noise(5_000, 100 + round)]
      await pushBlob(first, name, config)
      const digest = await pushBlob(first, name, layer)
      const image = imageOf([config, layer])
      const [removed, pushed] = await Promise.all([
        codeOf(process(0).blobs.remove(nameOf(name), digest)),
        codeOf(pushManifest(process(1), name, image, { tag: 'latest' })),
      ])
      expect([
        ['none', 'manifest_blob_unknown'],
        ['in_use', 'none'],
      ]).toContainEqual([removed, pushed])
    }
  })

  test('deletions, pushes and mounts of one content in many repositories do not wait in a circle', async () => {
    const bytes = noise(5_000, 51)
    for (let round = 0; round < 8; round++) {
      for (const i of [0, 1, 2, 3]) await pushBlob(first, `content-${i % 2}/app-${i}`, bytes)
      await Promise.all(
        [0, 1, 2, 3].flatMap((i) => [
          codeOf(process(i).blobs.remove(nameOf(`content-${i % 2}/app-${i}`), digestOf(bytes))),
          pushBlob(process(i + 1), `content-${i % 2}/app-${i}`, bytes),
          pushBlob(process(i + 2), `content-${i % 2}/app-${(i + 1) % 4}`, bytes),
        ]),
      )
    }
  })

  test('an index and its parts that are deleted and pushed at once agree on what is listed', async () => {
    const name = 'index/app'
    const parts = [
      await pushImage(first, name, [noise(10, 61)]),
      await pushImage(first, name, [noise(10, 62)]),
    ]
    for (let round = 0; round < 10; round++) {
      const index = indexOf(parts.map(refTo), { annotations: { r: `${round}` } })
      const old = indexOf([...parts].reverse().map(refTo), { annotations: { r: `${round}` } })
      await pushManifest(first, name, old, { tag: 'old' })
      await Promise.all([
        pushManifest(process(0), name, index, { tag: 'latest' }),
        process(1).manifests.remove(nameOf(name), old.digest, null),
        ...parts.map((part, i) => pushManifest(process(i + 1), name, part, { tag: `part-${i}` })),
      ])
      for (const i of [0, 1]) await first.tags.remove(nameOf(name), `part-${i}`, null)
    }
  })

  test('a repository that is removed while images are pushed to it goes, and what was told stays', async () => {
    const name = 'gone/app'
    const removeRepository = ({ db, repositories }: TestProcess) =>
      db.transaction((tx) => repositories.remove(tx, nameOf(name), null, 'test'))
    for (let round = 0; round < 8; round++) {
      await pushImage(first, name, [noise(10, 71), noise(5_000, 72)], { tag: 'latest' })
      const codes = await Promise.all([
        codeOf(removeRepository(process(0))),
        codeOf(pushBlob(process(1), name, noise(5_000, 200 + round))),
        codeOf(pushBlob(process(2), name, noise(5_000, 72))),
        codeOf(pushManifest(process(1), name, imageOf([noise(10, 71)]), { tag: 'latest' })),
        codeOf(removeRepository(process(2))),
        codeOf(foldUsage(process(1).db, 5)),
      ])
      for (const i of [0, 4]) expect(['none', 'repository_unknown']).toContain(codes[i] ?? '')
      expect([codes[1], codes[2]]).toEqual(['none', 'none'])
      // The push found the old repository or a new one without the blob.
      expect(['none', 'manifest_blob_unknown']).toContain(codes[3] ?? '')
      if ((await first.repositories.find(nameOf(name))) === undefined) continue
      await removeRepository(first)
      expect(await codeOf(first.manifests.head(nameOf(name), { kind: 'tag', tag: 'latest' }))).toBe(
        'repository_unknown',
      )
    }
  })

  test('repositories of a limited project that share blobs can be removed at once', async () => {
    const shared = Array.from({ length: 12 }, (_, i) => noise(100, 300 + i))
    await first.db.transaction((tx) =>
      first.projects.create(tx, {
        name: 'limited',
        isPublic: false,
        quota: 1_000_000,
        createdBy: null,
      }),
    )
    for (let round = 0; round < 6; round++) {
      for (const i of [0, 1, 2]) {
        const blobs = i === 1 ? [...shared].reverse() : shared
        await pushImage(first, `limited/app-${i}`, blobs, { tag: 'latest' })
      }
      await Promise.all([
        ...[0, 1, 2].map((i) =>
          process(i).db.transaction((tx) =>
            process(i).repositories.remove(tx, nameOf(`limited/app-${i}`), null, 'test'),
          ),
        ),
        foldUsage(process(0).db, 10),
        foldUsage(process(1).db, 10),
        pushBlob(process(2), 'limited/app-9', shared[round] ?? noise(1)),
      ])
    }
    const project = await first.projects.get('limited')
    const ledger = await first.db.query
      .selectFrom('project_content')
      .select('links')
      .where('project', '=', project?.id ?? 0)
      .execute()
    expect(ledger).toEqual(Array.from({ length: 6 }, () => ({ links: 1 })))
  })

  test('changes of one repository at once follow each other', async () => {
    const name = nameOf('changed/app')
    await pushBlob(first, 'changed/app', noise(10, 81))
    await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        process(i).db.transaction((tx) =>
          process(i).repositories.update(tx, name, { summary: `${i}` }),
        ),
      ),
    )
    expect((await first.repositories.find(name))?.version).toBe(13)
  })

  test('a project that is removed while it is pushed to is used, anew or not at all', async () => {
    for (let round = 0; round < 12; round++) {
      const project = `empty-${round}`
      const { id } = await first.db.transaction((tx) =>
        first.projects.create(tx, { name: project, isPublic: false, createdBy: null }),
      )
      const outsider = { ...pusher, mayCreateProject: false }
      const [removed, pushed, outside] = await Promise.all([
        codeOf(process(0).db.transaction((tx) => process(0).projects.remove(tx, id, null, 'test'))),
        codeOf(pushBlob(process(1), `${project}/app`, noise(10, 91))),
        codeOf(pushBlob(process(2), `${project}/other`, noise(10, 92), { as: outsider })),
      ])
      expect(pushed).toBe('none')
      expect(['none', 'in_use']).toContain(removed)
      expect(['none', 'project_unknown']).toContain(outside)
      const now = await first.projects.get(project)
      expect(now?.id === id).toBe(removed === 'in_use')
      expect((await first.blobs.get(nameOf(`${project}/app`), digestOf(noise(10, 91)))).size).toBe(
        10,
      )
    }
  })
})

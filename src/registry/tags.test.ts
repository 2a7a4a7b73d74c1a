import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { codeOf } from '../accounts/test-accounts.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import {
  createTestRegistry,
  imageOf,
  nameOf,
  noise,
  pushBlob,
  pushImage,
  pushManifest,
  type TestManifest,
  type TestProcess,
  type TestRegistry,
} from './test-registry.ts'

onEachEngine('tags', (create) => {
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

  async function pointsAt(name: string, tag: string): Promise<string | undefined> {
    const repository = await second.repositories.find(nameOf(name))
    return (await second.tags.find(repository?.id ?? 0, tag))?.digest
  }

  async function historyOf(name: string, tag: string) {
    const repository = await second.repositories.find(nameOf(name))
    const moves = await second.tags.history(repository?.id ?? 0, tag, { limit: 100 })
    return moves.map((move) => [move.oldDigest, move.newDigest, move.reason])
  }

  async function twoImages(name: string): Promise<[TestManifest, TestManifest]> {
    const config = noise(10, name.length)
    return [
      await pushImage(first, name, [config], { tag: 'stable' }),
      await pushImage(first, name, [config, noise(20, 2)], { tag: 'other' }),
    ]
  }

  const removeRepository = (name: string) =>
    first.db.transaction((tx) => first.repositories.remove(tx, nameOf(name), null, 'test'))

  test('an immutable one withstands everything, until it is mutable again', async () => {
    const name = 'immutable/app'
    const [stable, other] = await twoImages(name)
    const protectedTag = await first.tags.protect(nameOf(name), 'stable', true)
    expect(protectedTag).toMatchObject({ name: 'stable', immutable: true, digest: stable.digest })
    const attempts: Record<string, () => Promise<unknown>> = {
      overwrite: () => pushManifest(second, name, other, { tag: 'stable' }),
      'overwrite with a new image': () =>
        pushManifest(second, name, imageOf([noise(10, name.length)], { annotations: { a: 'b' } }), {
          tag: 'stable',
        }),
      'overwrite by ?tag=': () =>
        pushManifest(second, name, other, { tags: ['new', 'stable', 'zzz'] }),
      'delete the tag': () => second.tags.remove(nameOf(name), 'stable', null),
      'delete the manifest': () => second.manifests.remove(nameOf(name), stable.digest, null),
      'delete the repository': () => removeRepository(name),
    }
    for (const [what, attempt] of Object.entries(attempts)) {
      expect([what, await codeOf(attempt())]).toEqual([what, 'immutable'])
      expect(await pointsAt(name, 'stable')).toBe(stable.digest)
    }
    // Nothing of what was refused took place, not in part either.
    expect(await second.tags.names(nameOf(name), { limit: 10 })).toEqual(['other', 'stable'])
    expect(await historyOf(name, 'stable')).toEqual([[null, stable.digest, 'push']])
    const kept = await first.db.query
      .selectFrom('manifest')
      .innerJoin('repository', 'repository.id', 'manifest.repository')
      .innerJoin('project', 'project.id', 'repository.project')
      .select('manifest.digest')
      .where('project.name', '=', 'immutable')
      .execute()
    expect(kept.length).toBe(2)

    // The same image again is no change.
    await pushManifest(second, name, stable, { tag: 'stable', tags: ['new'] })
    expect(await pointsAt(name, 'new')).toBe(stable.digest)
    await first.tags.protect(nameOf(name), 'stable', false)
    await pushManifest(second, name, other, { tag: 'stable' })
    expect(await pointsAt(name, 'stable')).toBe(other.digest)
    await removeRepository(name)
    expect(await codeOf(second.tags.names(nameOf(name), { limit: 1 }))).toBe('repository_unknown')
  })

  test('an immutable one cannot be moved by who was on the way to it', async () => {
    const name = 'immutable/race'
    const [stable, other] = await twoImages(name)
    for (let round = 0; round < 10; round++) {
      await first.tags.protect(nameOf(name), 'stable', false)
      await pushManifest(first, name, stable, { tag: 'stable' })
      const [entry, code] = await Promise.all([
        first.tags.protect(nameOf(name), 'stable', true),
        codeOf(pushManifest(second, name, other, { tag: 'stable' })),
      ])
      const now = await pointsAt(name, 'stable')
      expect(now).toBe(code === 'none' ? other.digest : stable.digest)
      expect(['none', 'immutable']).toContain(code)
      // Who protects it is told what it protects from now on.
      expect(entry.digest).toBe(now ?? '')
    }
  })

  test('those that do not exist cannot be deleted or protected', async () => {
    await twoImages('missing/app')
    const name = nameOf('missing/app')
    expect(await codeOf(first.tags.remove(name, 'nope', null))).toBe('manifest_unknown')
    expect(await codeOf(first.tags.protect(name, 'nope', true))).toBe('manifest_unknown')
    expect(await codeOf(first.tags.remove(nameOf('missing/nope'), 'a', null))).toBe(
      'repository_unknown',
    )
  })

  test('history tells each move once, newest first', async () => {
    const name = 'history/app'
    const [a, b] = await twoImages(name)
    await pushManifest(second, name, a, { tag: 'latest' })
    await pushManifest(first, name, a, { tag: 'latest' })
    await pushManifest(second, name, b, { tag: 'latest' })
    await first.tags.remove(nameOf(name), 'latest', null)
    await pushManifest(first, name, a, { tag: 'latest' })
    await first.manifests.remove(nameOf(name), a.digest, null)
    expect(await historyOf(name, 'latest')).toEqual([
      [a.digest, null, 'delete of the manifest'],
      [null, a.digest, 'push'],
      [b.digest, null, 'delete'],
      [a.digest, b.digest, 'push'],
      [null, a.digest, 'push'],
    ])
    expect(await historyOf(name, 'stable')).toEqual([
      [a.digest, null, 'delete of the manifest'],
      [null, a.digest, 'push'],
    ])
    const repository = await first.repositories.find(nameOf(name))
    const [newest, ...older] = await first.tags.history(repository?.id ?? 0, 'latest', {
      limit: 10,
    })
    expect(
      await first.tags.history(repository?.id ?? 0, 'latest', {
        limit: 2,
        before: newest?.id ?? 0,
      }),
    ).toEqual(older.slice(0, 2))
  })

  test('an image without a tag is known as such from the moment it lost the last', async () => {
    const name = 'untagged/app'
    const since = async (digest: string) => {
      const row = await first.db.query
        .selectFrom('manifest')
        .select('untagged_since')
        .where('digest', '=', digest)
        .executeTakeFirstOrThrow()
      return row.untagged_since
    }
    const config = noise(10, 50)
    const image = await pushImage(first, name, [config])
    const pushedAt = registry.clock()
    expect(await since(image.digest)).toBe(pushedAt)
    registry.pass(1_000)
    await pushManifest(first, name, image)
    expect(await since(image.digest)).toBe(pushedAt)
    await pushManifest(first, name, image, { tags: ['a', 'b'] })
    expect(await since(image.digest)).toBeNull()
    await first.tags.remove(nameOf(name), 'a', null)
    expect(await since(image.digest)).toBeNull()
    registry.pass(1_000)
    await pushImage(first, name, [config, noise(9)], { tag: 'b' })
    expect(await since(image.digest)).toBe(registry.clock())
  })

  test('names are listed in byte order, page by page, from any place', async () => {
    const name = 'pages/app'
    const config = noise(10, 60)
    await pushBlob(first, name, config)
    const tags = ['Z', 'a', 'A', '_', '0', 'a.b', 'a-b', 'a_b', 'aa', 'B', 'z9', '10', '9']
    await pushManifest(first, name, imageOf([config]), { tags })
    const sorted = [...tags].sort()
    expect(await second.tags.names(nameOf(name), { limit: 100 })).toEqual(sorted)
    const seen: string[] = []
    for (let after: string | undefined; ; after = seen.at(-1)) {
      const page = await second.tags.names(nameOf(name), { limit: 4, ...(after ? { after } : {}) })
      seen.push(...page)
      if (page.length < 4) break
    }
    expect(seen).toEqual(sorted)
    expect(await second.tags.names(nameOf(name), { limit: 100, after: 'a.' })).toEqual(
      sorted.filter((tag) => tag > 'a.'),
    )
    expect(await second.tags.names(nameOf(name), { limit: 0 })).toEqual([])
  })
})

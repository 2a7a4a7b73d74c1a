import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { isAppError } from '../lib/errors.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import {
  createTestRegistry,
  imageOf,
  nameOf,
  noise,
  pushBlob,
  pushManifest,
  type TestManifest,
  type TestProcess,
  type TestRegistry,
} from './test-registry.ts'

const COUNT = 40
const all = Array.from({ length: COUNT }, (_, i) => i)

onEachEngine('small images that are stored together', (create) => {
  let registry: TestRegistry
  let process: TestProcess
  let transactions = 0
  let watched: string[] = []

  beforeAll(async () => {
    registry = await createTestRegistry(create, {
      db: (db) => ({
        ...db,
        transaction(work, options) {
          transactions++
          return db.transaction(work, options)
        },
      }),
      createWatch:
        () =>
        () =>
        async () =>
        async (_tx, { manifest, tags }) => {
          watched.push(`${manifest.digest} ${tags.join(' ')}`)
        },
    })
    process = registry.first
  })
  afterAll(() => registry.remove())
  afterEach(async () => {
    expect(await registry.problems()).toEqual([])
    expect(registry.retries()).toBe(0)
  })

  const config = noise(60, 1)
  const base = noise(70, 2)
  const layerOf = (round: number, i: number) => noise(100 + i, 1_000 * round + i)

  /** Images of a layer that all have and one of their own, whose blobs are there. */
  async function imagesIn(repository: string, round = 1): Promise<TestManifest[]> {
    for (const blob of [config, base]) await pushBlob(process, repository, blob)
    await Promise.all(all.map((i) => pushBlob(process, repository, layerOf(round, i))))
    transactions = 0
    watched = []
    return all.map((i) => imageOf([config, base, layerOf(round, i)]))
  }

  const push = (repository: string, image: TestManifest | undefined, tag: string) =>
    pushManifest(process, repository, image as TestManifest, { tag })

  async function failureOf(work: Promise<unknown>): Promise<string> {
    const error = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    return isAppError(error) ? `${error.code}: ${error.message}` : String(error ?? 'none')
  }

  async function idOf(repository: string): Promise<number> {
    return (await process.repositories.find(nameOf(repository)))?.id ?? 0
  }

  /** What each tag points at. */
  async function tagsOf(repository: string): Promise<Record<string, string>> {
    const entries = await process.tags.list(await idOf(repository), { limit: 1_000 })
    return Object.fromEntries(entries.map(({ name, digest }) => [name, digest]))
  }

  const tagged = (images: TestManifest[]) =>
    Object.fromEntries(images.map(({ digest }, i) => [`t${i}`, digest]))

  test('all are there, told of once, and share their commits where that pays', async () => {
    const images = await imagesIn('images/app')
    await Promise.all(images.map((image, i) => push('images/app', image, `t${i}`)))
    if (process.db.engine.name === 'postgres') expect(transactions).toBeLessThan(COUNT / 2)
    expect(await tagsOf('images/app')).toEqual(tagged(images))
    expect(watched.sort()).toEqual(images.map(({ digest }, i) => `${digest} t${i}`).sort())

    // Again, and then under each other's tags: what was there before is remembered once.
    await Promise.all(images.map((image, i) => push('images/app', image, `t${i}`)))
    const moved = images.map((_, i) => images[(i + 1) % COUNT] as TestManifest)
    await Promise.all(moved.map((image, i) => push('images/app', image, `t${i}`)))
    expect(await tagsOf('images/app')).toEqual(tagged(moved))
    const repository = await idOf('images/app')
    for (const i of all) {
      const moves = await process.tags.history(repository, `t${i}`, { limit: 10 })
      expect(moves.map(({ oldDigest, newDigest }) => [oldDigest, newDigest])).toEqual([
        [images[i]?.digest, moved[i]?.digest],
        [null, images[i]?.digest],
      ] as (string | null)[][])
    }
  })

  test('what is wrong with one is told to that one, and none of its neighbours', async () => {
    const images = await imagesIn('wrong/app', 2)
    await push('wrong/app', images[0], 'fixed')
    await process.tags.protect(nameOf('wrong/app'), 'fixed', true)
    const lacking = imageOf([config, noise(50, 999_999)])
    const failures = await Promise.all(
      images.map((image, i) => {
        if (i === 9) return failureOf(push('wrong/app', lacking, 't9'))
        return failureOf(push('wrong/app', image, i === 21 ? 'fixed' : `t${i}`))
      }),
    )
    const failed = failures.flatMap((text, i) => (text === 'none' ? [] : [i]))
    expect(failed).toEqual([9, 21])
    expect(failures[9]).toStartWith('manifest_blob_unknown: ')
    expect(failures[21]).toStartWith('immutable: tag "fixed"')
    const { t9, t21, ...wanted } = tagged(images)
    expect(await tagsOf('wrong/app')).toEqual({ ...wanted, fixed: images[0]?.digest ?? '' })
  })

  test('of those with one tag each moves it, and of those with the same bytes there is one', async () => {
    const images = await imagesIn('one/app', 3)
    await Promise.all(images.map((image) => push('one/app', image, 'latest')))
    const moves = await process.tags.history(await idOf('one/app'), 'latest', { limit: 1_000 })
    expect(moves.length).toBe(COUNT)
    const chain = moves.toReversed()
    for (const [i, { oldDigest }] of chain.entries()) {
      expect(oldDigest).toBe(i === 0 ? null : (chain[i - 1]?.newDigest ?? ''))
    }

    await Promise.all(all.map((i) => push('one/app', images[0], `same-${i}`)))
    const { latest, ...same } = await tagsOf('one/app')
    expect(Object.keys(same).length).toBe(COUNT)
    expect(new Set(Object.values(same))).toEqual(new Set([images[0]?.digest ?? '']))
    const rows = await process.db.query
      .selectFrom('manifest')
      .select('id')
      .where('repository', '=', await idOf('one/app'))
      .execute()
    expect(rows.length).toBe(COUNT)
  })
})

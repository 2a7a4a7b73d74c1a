import { afterEach, beforeEach, expect, test } from 'bun:test'
import type { Db } from '../../store/db/database.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { createTestRegistries, type TestRegistries } from '../registries/test-registries.ts'
import type { ImageFilter } from './image-filter.ts'
import { findImages } from './images.ts'
import { countByText, findByText, weigh } from './search-images.ts'

interface Plain {
  registry: string
  repository: string
  tag: string
  isGone: boolean
}

onEachEngine('a search', (create) => {
  let base: TestRegistries
  let db: Db
  let images: Plain[]
  let registries: string[]

  beforeEach(async () => {
    base = await createTestRegistries(create)
    db = base.accounts.db
    registries = []
    for (const name of ['one', 'two', 'three']) registries.push((await base.add(name)).id)
    const repositories = [
      'app',
      'team/app',
      'team/Deep/app',
      'a_b/c%d',
      'back\\slash/x',
      'apple/pear',
    ]
    images = registries.flatMap((registry) =>
      repositories.flatMap((repository) =>
        ['1.0', 'RC-App', 'latest', 'a_b', 'gone'].map((tag) => ({
          registry,
          repository,
          tag,
          isGone: tag === 'gone',
        })),
      ),
    )
    await db.query
      .insertInto('registry_image')
      .values(
        images.map(({ registry, repository, tag, isGone }, index) => ({
          registry,
          repository,
          tag,
          namespace: repository.includes('/') ? (repository.split('/')[0] ?? '') : '',
          image_name: repository.slice(repository.indexOf('/') + 1),
          digest: 'sha256:x',
          media_type: 'x',
          size: index,
          is_multiarch: 0 as const,
          platforms: '[]',
          children: '[]',
          updated_at: index,
          first_seen_at: 1,
          synced_at: 1,
          sync: 1,
          gone_at: isGone ? 1 : null,
        })),
      )
      .execute()
    await db.query
      .insertInto('registry_repository')
      .values(
        registries.flatMap((registry) =>
          repositories.map((repository) => ({ registry, repository, listed_by: 1, images: 4 })),
        ),
      )
      .execute()
    await db.query
      .insertInto('registry_tags')
      .values(
        registries.flatMap((registry) =>
          repositories.map((repository) => ({
            registry,
            repository,
            count: 5,
            tags: '1.0\nrc-app\nlatest\na_b\ngone',
          })),
        ),
      )
      .execute()
  })
  afterEach(() => base.remove())

  const has = (name: string, text: string) => name.toLowerCase().includes(text.toLowerCase())
  const isFound = (image: Plain, { registries: within, search, imageNameHas, tag }: ImageFilter) =>
    !image.isGone &&
    within.includes(image.registry) &&
    (search === undefined || has(image.repository, search) || has(image.tag, search)) &&
    (imageNameHas === undefined ||
      has(image.repository.slice(image.repository.indexOf('/') + 1), imageNameHas)) &&
    (tag === undefined || image.tag === tag)

  const filters = (): ImageFilter[] => {
    const texts = [
      'app',
      'APP',
      'p/a',
      'team',
      'a_b',
      'c%',
      '\\',
      'rc-',
      'latest',
      'gone',
      'zzz',
      '.',
    ]
    const two = registries.slice(0, 2)
    return [
      ...texts.map((search) => ({ registries, search })),
      ...texts.map((imageNameHas) => ({ registries: two, imageNameHas })),
      { registries: two, search: 'team', imageNameHas: 'deep' },
      { registries: two, search: 'app', tag: '1.0' },
    ]
  }

  test('finds what a look at each name finds, by both ways', async () => {
    for (const filter of filters()) {
      const expected = images.filter((image) => isFound(image, filter)).length
      expect([filter, (await findByText(db.scan, filter))?.length]).toEqual([filter, expected])
      const weight = await weigh(db.scan, filter)
      const { total } = await countByText(db.scan, filter, weight, true)
      expect([filter, total]).toEqual([filter, expected])
      const few = await findByText(db.scan, filter, 3)
      expect(few === undefined).toBe(expected > 3)
    }
  })

  test('goes by pages, forwards and backwards, with the number of all', async () => {
    const filter = { registries, search: 'team' }
    const all = await findImages(db, { ...filter, limit: 100 })
    expect(all.total).toBe(24)
    const ids = all.items.map(({ id }) => id)
    expect(ids).toEqual([...ids].sort((a, b) => a - b))
    for (const direction of ['asc', 'desc'] as const) {
      const ordered = direction === 'asc' ? ids : [...ids].reverse()
      const byOffset = await findImages(db, { ...filter, direction, offset: 5, limit: 7 })
      expect(byOffset.total).toBe(24)
      expect(byOffset.items.map(({ id }) => id)).toEqual(ordered.slice(5, 12))
      const after = await findImages(db, { ...filter, direction, after: ordered[4], limit: 7 })
      expect(after.total).toBe(24)
      expect(after.items.map(({ id }) => id)).toEqual(ordered.slice(5, 12))
    }
    // Where too many fit to be looked up.
    for (const page of [
      { limit: 10 },
      { limit: 7, offset: 5 },
      { limit: 7, after: ids[4] },
      { limit: 7, offset: 22 },
      { limit: 7, offset: 30 },
      { limit: 7, offset: 1_000 },
      { limit: 100, after: ids.at(-1) },
    ]) {
      for (const direction of ['asc', 'desc'] as const) {
        const asked = { ...filter, ...page, direction }
        expect(await findImages(db, asked, { few: 3 })).toEqual(await findImages(db, asked))
      }
    }
    expect(await findImages(db, { registries: [], search: 'a', limit: 5 })).toEqual({
      items: [],
      total: 0,
      totalIs: 'exact',
    })
  })

  test('that takes long holds up those of the same account alone', async () => {
    const gate = Promise.withResolvers<void>()
    const slow = {
      ...db,
      scan: db.scan.withPlugin({
        transformQuery: ({ node }) => node,
        async transformResult({ result }) {
          await gate.promise
          return result
        },
      }),
    }
    const ended: string[] = []
    const search = async (name: string, on: Pick<Db, 'query' | 'scan' | 'engine'>, by: number) => {
      const { total } = await findImages(on, { registries, search: 'team', limit: 5 }, { by })
      ended.push(name)
      return total
    }
    const [first, second] = [search('slow', slow, 1), search('after it', db, 1)]
    expect(await search('of another', db, 2)).toBe(24)
    expect(ended).toEqual(['of another'])
    gate.resolve()
    expect(await Promise.all([first, second])).toEqual([24, 24])
    expect(ended).toEqual(['of another', 'slow', 'after it'])
  })

  test('what is not searched has its number too, from the syncs or counted', async () => {
    const total = async (more: object) =>
      (await findImages(db, { registries, limit: 10, ...more })).total
    expect(await total({})).toBe(72)
    expect(await total({ offset: 70 })).toBe(72)
    expect(await total({ namespace: 'team' })).toBe(24)
    expect(await total({ tag: '1.0', limit: 100 })).toBe(18)
    expect(await total({ isGone: true, offset: 5 })).toBe(18)
    expect(await total({ isGone: true, search: 'team' })).toBe(6)
    await db.query.updateTable('registry').set({ images_num: 40 }).execute()
    expect(await total({})).toBe(120)
  })
})

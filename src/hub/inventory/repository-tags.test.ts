import { afterEach, beforeEach, expect, test } from 'bun:test'
import type { Digest } from '../../oci/digest.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { createTestRegistries, type TestRegistries } from '../registries/test-registries.ts'
import { settleRepository, writePage } from './repository-rows.ts'
import { createRepositoryStore, type TaggedImage } from './repository-store.ts'

onEachEngine('the tags of a repository as text', (create) => {
  let base: TestRegistries
  let registry: string
  beforeEach(async () => {
    base = await createTestRegistries(create)
    registry = (await base.add('one')).id
  })
  afterEach(() => base.remove())

  const of = (sync: number) => ({ registry, repository: 'team/app', sync, now: sync })
  const image = (tag: string, digit = '1'): TaggedImage => ({
    tag,
    digest: `sha256:${digit.repeat(64)}` as Digest,
    facts: { mediaType: 'x', size: 1, platforms: [], children: [], createdAt: undefined },
  })
  const store = (sync: number) => createRepositoryStore(base.accounts.db, of(sync))
  const parts = async () =>
    (
      await base.accounts.db.query
        .selectFrom('registry_tags')
        .select(['tags', 'count'])
        .orderBy('id')
        .execute()
    ).map(({ tags, count }) => `${count}: ${tags.replaceAll('\n', ' ')}`)

  test('have each tag once, from the page on with which it is written', async () => {
    await store(1).write([], [image('1.0'), image('RC-1')])
    expect(await parts()).toEqual(['2: 1.0 rc-1'])
    await store(1).write([], [image('1.0', '2'), image('2.0')])
    expect(await parts()).toEqual(['2: 1.0 rc-1', '1: 2.0'])
    await store(1).settle()
    expect(await parts()).toEqual(['2: 1.0 rc-1', '1: 2.0'])
  })

  test('keep what is gone, since it may come back with a mark alone', async () => {
    await store(1).write([], [image('1.0'), image('2.0')])
    await store(1).settle()
    await store(2).write([{ tag: '1.0' }], [])
    await store(2).settle()
    expect(await parts()).toEqual(['2: 1.0 2.0'])
    await writePage(base.accounts.db, of(3), [{ tag: '2.0' }, { tag: '1.0' }], [])
    await settleRepository(base.accounts.db, of(3))
    expect(await parts()).toEqual(['2: 1.0 2.0'])
  })

  test('are put together when there are many parts, much that went, or images without', async () => {
    for (let i = 0; i < 11; i++) await store(1).write([], [image(`t${10 + i}`)])
    expect((await parts()).length).toBe(11)
    await store(1).settle()
    const all = Array.from({ length: 11 }, (_, i) => `t${10 + i}`)
    expect(await parts()).toEqual([`11: ${all.join(' ')}`])

    // As an older program beside this one writes them.
    const { query } = base.accounts.db
    await query.deleteFrom('registry_tags').execute()
    await store(2).write(
      all.map((tag) => ({ tag })),
      [],
    )
    await store(2).settle()
    expect(await parts()).toEqual([`11: ${all.join(' ')}`])

    await query.updateTable('registry_tags').set({ count: 500, tags: 'old' }).execute()
    await store(3).write(
      all.map((tag) => ({ tag })),
      [],
    )
    await store(3).settle()
    expect(await parts()).toEqual([`11: ${all.join(' ')}`])
  })

  test('are put together when as many as went came without', async () => {
    await store(1).write([], [image('1.0'), image('2.0'), image('RC-3')])
    await store(1).settle()
    // As an older program beside this one does: it knows images alone.
    const { query } = base.accounts.db
    await query.deleteFrom('registry_image').where('tag', '=', '2.0').execute()
    const [row] = await query.selectFrom('registry_image').selectAll().execute()
    if (!row) throw new Error('no image')
    const { id: _, ...rest } = row
    await query
      .insertInto('registry_image')
      .values({ ...rest, tag: '3.0' })
      .execute()
    await store(2).write([{ tag: '1.0' }, { tag: '3.0' }, { tag: 'RC-3' }], [])
    await store(2).settle()
    expect(await parts()).toEqual(['3: 1.0 3.0 rc-3'])
  })

  test('of many are parts of a thousand', async () => {
    const many = Array.from({ length: 2_100 }, (_, i) => image(`t${1_000 + i}`))
    for (let at = 0; at < many.length; at += 100) {
      await store(1).write([], many.slice(at, at + 100))
    }
    await store(1).settle()
    expect((await parts()).map((part) => Number(part.split(':')[0]))).toEqual([1_000, 1_000, 100])
  })
})

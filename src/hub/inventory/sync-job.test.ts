import { afterEach, expect, test } from 'bun:test'
import { onEachEngine, type TestDatabase } from '../../store/db/test-databases.ts'
import { BY_ADMIN } from '../registries/test-registries.ts'
import { addRunner } from '../runners/test-runner.ts'
import { reasonsOf } from './sync-rows.ts'
import { createTestInventory, type TestInventory } from './test-inventory.ts'

const ACCESSORY = `sha256-${'a'.repeat(64)}.sig`

onEachEngine('the images of a registry', (create) => {
  let inv: TestInventory
  afterEach(() => inv.stop())

  const start = async (
    repositories: Record<string, string[]>,
    on?: () => Promise<TestDatabase>,
  ) => {
    inv = await createTestInventory(repositories, on ?? create)
    return inv
  }
  const image = (tag: string) =>
    inv.accounts.db.query
      .selectFrom('registry_image')
      .selectAll()
      .where('tag', '=', tag)
      .executeTakeFirstOrThrow()

  test('are all there, with sizes, platforms and the latest; signatures are none', async () => {
    await start({ 'team/app': ['1.0', '2.0', 'multi-3', ACCESSORY], tools: ['latest'] })
    const row = await inv.sync()
    expect(row).toMatchObject({
      state: 'done',
      images: 4,
      repositories_total: 2,
      repositories_done: 2,
      repositories_failed: 0,
      error: null,
    })
    expect(await inv.names()).toEqual([
      'team/app:1.0',
      'team/app:2.0',
      'team/app:multi-3',
      'tools:latest',
    ])
    expect(await image('latest')).toMatchObject({ namespace: '', image_name: 'tools' })
    const one = await image('1.0')
    expect(one).toMatchObject({
      namespace: 'team',
      image_name: 'app',
      is_multiarch: 0,
      platforms: '["linux/amd64"]',
      children: '[]',
      latest_version: 0,
      updated_at: Date.UTC(2026, 0, 1),
    })
    expect(one.size).toBeGreaterThan(1_000)
    const index = await image('multi-3')
    expect(index).toMatchObject({ is_multiarch: 1, latest_version: 1 })
    expect(JSON.parse(index.platforms)).toEqual(['linux/amd64', 'linux/arm64'])
    const children: { size: number }[] = JSON.parse(index.children)
    expect(children).toHaveLength(2)
    expect(index.size).toBe(children.reduce((sum, { size }) => sum + size, 0))
    expect(await inv.registries.get(inv.registry)).toMatchObject({
      imagesNum: 4,
      latestSyncAt: row.finished_at,
    })
  })

  test('are read again only where they changed; gone ones are marked, then forgotten', async () => {
    await start({ 'a/one': ['1', '2', '3'], 'a/two': ['1'], 'a/three': ['1'] })
    await inv.sync()
    const before = await image('2')
    inv.server.change('a/one', '2')
    // The others keep their places, by which the server makes up how old they are.
    inv.server.setTags('a/one', ['4', '2', '3'])
    inv.server.setTags('a/two', undefined)
    inv.server.reset()
    const row = await inv.sync()
    expect(inv.server.counts).toMatchObject({ head: 4, manifest: 2 })
    expect(row).toMatchObject({ state: 'done', images: 4, manifests_read: 2 })
    expect(await inv.names()).toEqual(['a/one:2', 'a/one:3', 'a/one:4', 'a/three:1'])
    expect((await image('2')).digest).not.toBe(before.digest)
    expect((await image('2')).id).toBe(before.id)
    const all = () => inv.accounts.db.query.selectFrom('registry_image').select('id').execute()
    expect(await all()).toHaveLength(6)
    await inv.accounts.db.query
      .updateTable('registry_image')
      .set({ gone_at: 1 })
      .where('gone_at', 'is not', null)
      .execute()
    await inv.sync()
    expect(await all()).toHaveLength(4)
    await inv.sync()
    const repositories = await inv.accounts.db.query
      .selectFrom('registry_repository')
      .select('repository')
      .orderBy('repository')
      .execute()
    expect(repositories.map(({ repository }) => repository)).toEqual(['a/one', 'a/three'])
  })

  test('a broken repository does not stop the others, and keeps what is known of it', async () => {
    await start({ 'a/bad': ['1'], 'a/good': ['1'], 'a/half': ['1', '2'] })
    await inv.sync()
    inv.server.setTags('a/bad', [])
    inv.server.setTags('a/half', ['2'])
    inv.server.change('a/half', '2')
    inv.server.refuse = (kind, path) => {
      if (kind === 'tags' && path.startsWith('a/bad/')) return 400
      return kind === 'manifest' && path.startsWith('a/half/') ? 403 : undefined
    }
    const row = await inv.sync()
    expect(row).toMatchObject({ state: 'partial', repositories_done: 3, repositories_failed: 2 })
    const reasons = reasonsOf(row)
    expect(reasons.map(({ repository }) => repository).sort()).toEqual(['a/bad', 'a/half'])
    for (const { reason } of reasons) expect(reason).toMatch(/refuses|does not/)
    expect(await inv.names()).toEqual(['a/bad:1', 'a/good:1', 'a/half:1', 'a/half:2'])
  })

  test('a run that was cut off is gone on with, and does nothing twice', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `a/r${String(i).padStart(2, '0')}`)
    await start(Object.fromEntries(names.map((name) => [name, ['1', '2']])))
    const { sync } = await inv.request()
    const stop = new AbortController()
    inv.server.refuse = (_, path) => {
      if (path.startsWith('a/r06/')) stop.abort(new Error('the server shuts down'))
      return undefined
    }
    await expect(inv.runOnce(sync, { signal: stop.signal })).rejects.toThrow('shuts down')
    const half = await inv.read(sync)
    expect(half.state).toBe('queued')
    expect(half.repositories_done).toBeGreaterThan(0)
    inv.server.refuse = undefined
    inv.server.reset()
    await inv.runOnce(sync)
    expect(await inv.read(sync)).toMatchObject({ state: 'done', repositories_done: 12, images: 24 })
    expect(inv.server.counts.catalog).toBeUndefined()
    expect(inv.server.counts.tags).toBe(12 - half.repositories_done)
  })

  test('a list of repositories that breaks off marks nothing as gone', async () => {
    await start({ 'a/one': ['1'] })
    await inv.sync()
    inv.server.setTags('a/one', undefined)
    inv.server.refuse = (kind) => (kind === 'catalog' ? 403 : undefined)
    const row = await inv.sync()
    expect(row).toMatchObject({ state: 'failed', error_code: 'REQUEST_API_ERROR' })
    expect(row.error).toContain('list its repositories')
    expect(await inv.names()).toEqual(['a/one:1'])
  })

  test('who asks meanwhile joins; after a change of the registry another one follows', async () => {
    await start({ 'a/one': ['1'] })
    const first = await inv.request()
    expect(await inv.request('change')).toEqual({ sync: first.sync, joined: true })
    expect((await inv.read(first.sync)).again).toBe(0)
    inv.server.refuse = (kind) =>
      kind === 'catalog' ? void joins.push(inv.request('change')) : undefined
    const joins: ReturnType<typeof inv.request>[] = []
    await inv.runOnce(first.sync)
    expect(await Promise.all(joins)).toEqual([{ sync: first.sync, joined: true }])
    const [last] = await inv.accounts.db.query
      .selectFrom('image_sync')
      .selectAll()
      .orderBy('id', 'desc')
      .execute()
    expect(last).toMatchObject({ state: 'queued', trigger: 'change' })
    expect(last?.id).not.toBe(first.sync)
  })

  test('a registry that only a runner can speak to is passed over with the reason', async () => {
    await start({ 'a/one': ['1'] })
    // The default cannot be handed to a runner.
    await inv.registries.promote((await inv.add('other')).id)
    await addRunner(inv.accounts, 'far')
    const change = { connectClusterId: 'far', secret: 'x' }
    await inv.registries.update(inv.registry, change, BY_ADMIN)
    const row = await inv.sync()
    expect(row).toMatchObject({ state: 'failed', error_code: 'CREATE_JOB_FAILED' })
    expect(inv.server.counts).toEqual({})
  })
})

test('20 repositories of 100 tags, with pages, 429s and failures: all of it, and then nothing twice', async () => {
  const tags = Array.from({ length: 100 }, (_, i) => (i % 50 === 0 ? `multi-${i}` : `1.0.${i}`))
  const names = Array.from({ length: 20 }, (_, i) => `team-${i % 3}/app-${i}`)
  const inv = await createTestInventory(Object.fromEntries(names.map((name) => [name, tags])))
  try {
    let failures = 0
    inv.server.tooManyEvery = 97
    inv.server.refuse = (kind, path) =>
      kind === 'tags' && path.startsWith('team-0/app-3/') && failures++ < 2 ? 503 : undefined
    const first = await inv.sync()
    expect(first).toMatchObject({ state: 'done', images: 2_000, repositories_failed: 0 })
    expect(failures).toBeGreaterThan(2)
    const all = names.flatMap((name) => tags.map((tag) => `${name}:${tag}`)).sort()
    expect(await inv.names()).toEqual(all)
    inv.server.reset()
    inv.server.change('team-0/app-3', '1.0.7')
    const second = await inv.sync()
    expect(second).toMatchObject({ state: 'done', images: 2_000, manifests_read: 1 })
    expect(inv.server.counts).toMatchObject({ head: 2_000, manifest: 1, blob: 1 })
  } finally {
    await inv.stop()
  }
}, 60_000)

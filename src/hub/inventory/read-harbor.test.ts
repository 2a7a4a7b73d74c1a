import { afterEach, describe, expect, test } from 'bun:test'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { reasonsOf } from './sync-rows.ts'
import { expectEqualToSource, namesOf } from './test-equality.ts'
import { HARBOR_LOGIN, type HarborServer, startHarborServer } from './test-harbor-server.ts'
import { createTestSyncOf, type TestSync } from './test-inventory.ts'

let harbor: HarborServer
let inv: TestSync
afterEach(async () => {
  await inv.stop()
  await harbor.stop()
})

type Create = Parameters<typeof createTestSyncOf>[3]
async function start(
  repositories: Record<string, string[]>,
  { create, ...login }: { create?: Create; apiVersion?: 'V1' | 'V2' } = {},
) {
  harbor = startHarborServer(repositories)
  inv = await createTestSyncOf('harbor', harbor, { ...HARBOR_LOGIN, ...login }, create)
}

const many = (count: number, prefix = '1.0') =>
  Array.from({ length: count }, (_, index) => `${prefix}.${index}`)

onEachEngine('Harbor by its API', (create) => {
  test('is complete with times, sizes and platforms, and a second run asks for its list alone', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `team-${i % 3}/app-${i}/part`)
    const tags = [...many(47), 'multi-1', 'arm-1', 'latest']
    await start(Object.fromEntries(names.map((name) => [name, tags])), { create })
    harbor.tooManyEvery = 41
    harbor.push('team-0/app-0/part', 'latest', 'what 1.0.3 is')
    harbor.push('team-0/app-0/part', '1.0.3', 'what 1.0.3 is')
    const first = await inv.sync()
    expect(first).toMatchObject({ state: 'done', images: 2_000, error: null, note: null })
    await expectEqualToSource(inv, harbor)
    // Of every image for ARM, since Harbor does not tell its variant.
    expect(harbor.counts.manifests).toBeGreaterThanOrEqual(40)
    expect(first.manifests_read).toBe(40)
    const requests = harbor.requests()
    harbor.reset()
    const second = await inv.sync()
    expect(second).toMatchObject({ state: 'done', images: 2_000, manifests_read: 0 })
    expect(Object.keys(harbor.counts)).toEqual(['repositories'])
    expect(harbor.requests()).toBeLessThan(requests / 50)
    await expectEqualToSource(inv, harbor)
  }, 60_000)
})

describe('what changes in Harbor', () => {
  test('is read again, and nothing else: pushes, retags, deletions', async () => {
    await start({ 'a/one': many(5), 'a/two': many(5), 'a/three': ['1'], 'a/four': ['1'] })
    await inv.sync()
    harbor.push('a/one', '1.0.9')
    harbor.push('a/two', '1.0.1', harbor.repositories.get('a/two')?.tags.get('1.0.4')?.seed)
    harbor.remove('a/two', '1.0.2')
    harbor.remove('a/three')
    harbor.push('a/five', '1')
    harbor.reset()
    expect(await inv.sync()).toMatchObject({ state: 'done', manifests_read: 0 })
    expect(harbor.counts.artifacts).toBe(3)
    await expectEqualToSource(inv, harbor)
  })

  test('is what was not listed for a while, although it is as it was before', async () => {
    await start({ 'a/one': many(3), 'a/two': many(3) })
    await inv.sync()
    const hidden = harbor.repositories.get('a/two')
    harbor.remove('a/two')
    expect(await inv.sync()).toMatchObject({ state: 'done', images: 3 })
    if (hidden) harbor.repositories.set('a/two', hidden)
    expect(await inv.sync()).toMatchObject({ state: 'done', images: 6 })
    await expectEqualToSource(inv, harbor)
  })

  test('is seen also where its repositories have no times to trust', async () => {
    await start({ 'a/one': many(3), 'a/two': many(3) })
    harbor.version = 'v2.9.1'
    await inv.sync()
    harbor.push('a/one', '1.0.0', harbor.repositories.get('a/one')?.tags.get('1.0.2')?.seed)
    harbor.reset()
    expect(await inv.sync()).toMatchObject({ state: 'done', manifests_read: 0 })
    expect(harbor.counts.artifacts).toBe(2)
    await expectEqualToSource(inv, harbor)
  })

  test('a tag that is pushed again unchanged has the new time', async () => {
    await start({ 'a/one': ['1', '2'] })
    await inv.sync()
    harbor.push('a/one', '1', harbor.repositories.get('a/one')?.tags.get('1')?.seed)
    await inv.sync()
    await expectEqualToSource(inv, harbor)
    const latest = await inv.accounts.db.query
      .selectFrom('registry_image')
      .select('tag')
      .where('latest_version', '=', 1)
      .execute()
    expect(latest).toEqual([{ tag: '1' }])
  })
})

describe('what fails in Harbor', () => {
  test('one page of one repository leaves the others of it and all others', async () => {
    await start({ 'a/bad': many(250), 'a/good': many(3) })
    harbor.refuse = (kind, path, query) =>
      kind === 'artifacts' && path.includes('/bad/') && query.get('page') === '2' ? 500 : undefined
    const row = await inv.sync()
    expect(row).toMatchObject({ state: 'partial', repositories_failed: 1, images: 153 })
    expect(reasonsOf(row)).toMatchObject([{ repository: 'a/bad' }])
    harbor.refuse = undefined
    // Nothing changed there, and it is read all the same.
    expect(await inv.sync()).toMatchObject({ state: 'done', images: 253 })
    await expectEqualToSource(inv, harbor)
    harbor.push('a/bad', 'new')
    harbor.refuse = (kind, _, query) =>
      kind === 'artifacts' && query.get('page') === '1' ? 403 : undefined
    expect(await inv.sync()).toMatchObject({ state: 'done', images: 254 })
    await expectEqualToSource(inv, harbor, { withFacts: false })
  })

  test('a page of the list of repositories marks nothing as gone', async () => {
    const names = Array.from({ length: 250 }, (_, i) => `a/app-${String(i).padStart(3, '0')}`)
    await start(Object.fromEntries(names.map((name) => [name, ['1']])))
    await inv.sync()
    harbor.push('a/app-249', '2')
    harbor.remove('a/app-000')
    harbor.refuse = (kind, _, query) =>
      kind === 'repositories' && query.get('page') === '2' ? 500 : undefined
    const row = await inv.sync()
    expect(row).toMatchObject({ state: 'partial', repositories_failed: 0 })
    expect(row.error).toContain('list')
    expect(await inv.names()).toHaveLength(251)
    harbor.refuse = undefined
    expect(await inv.sync()).toMatchObject({ state: 'done', images: 250 })
    expect(await inv.names()).toEqual(namesOf(harbor))
  })

  test('a list that shrinks while it is read marks nothing as gone', async () => {
    const names = Array.from({ length: 250 }, (_, i) => `a/app-${String(i).padStart(3, '0')}`)
    await start(Object.fromEntries(names.map((name) => [name, ['1']])))
    await inv.sync()
    harbor.refuse = (kind, _, query) => {
      // What stood at the end of the first page comes to its end again, and is not seen.
      if (kind === 'repositories' && query.get('page') === '2') harbor.remove('a/app-000')
      return undefined
    }
    const row = await inv.sync()
    expect(row).toMatchObject({ state: 'partial', images: 250 })
    expect(row.error).toContain('changed while it was read')
    harbor.refuse = undefined
    expect(await inv.sync()).toMatchObject({ state: 'done', images: 249 })
    expect(await inv.names()).toEqual(namesOf(harbor))
  })

  test('all of it, where the account may not use the API: then /v2 is read, and why', async () => {
    await start({ 'a/one': many(3) })
    harbor.refuse = (kind) => (kind === 'artifacts' ? 403 : undefined)
    const row = await inv.sync()
    expect(row).toMatchObject({ state: 'done', images: 3, manifests_read: 3 })
    expect(row.note).toContain('refuses to list the tags of a/one')
    await expectEqualToSource(inv, harbor, { withFacts: false })
  })
})

test('a run that is killed goes on where it was', async () => {
  const names = Array.from({ length: 30 }, (_, i) => `a/r${String(i).padStart(2, '0')}`)
  await start(Object.fromEntries(names.map((name) => [name, many(3)])))
  const { sync } = await inv.request()
  const stop = new AbortController()
  harbor.refuse = (_, path) => {
    if (path.includes('r15')) stop.abort(new Error('killed'))
    return undefined
  }
  await expect(inv.runOnce(sync, { signal: stop.signal })).rejects.toThrow('killed')
  harbor.refuse = undefined
  const done = (await inv.read(sync)).repositories_done
  expect(done).toBeGreaterThan(0)
  harbor.reset()
  await inv.runOnce(sync)
  expect(harbor.counts).toEqual({ artifacts: 30 - done })
  await expectEqualToSource(inv, harbor)
})

test.each(['V1', 'V2'] as const)(
  'Harbor 1, also when it was added as %s',
  async (apiVersion) => {
    const names = Array.from({ length: 120 }, (_, i) => `team-${i % 2}/app-${i}`)
    await start(Object.fromEntries(names.map((name) => [name, ['1', 'multi-2']])), { apiVersion })
    harbor.isOne = true
    expect(await inv.sync()).toMatchObject({ state: 'done', images: 240, note: null })
    await expectEqualToSource(inv, harbor)
    harbor.push('team-0/app-0', '1')
    harbor.reset()
    expect(await inv.sync()).toMatchObject({ state: 'done', images: 240, manifests_read: 1 })
    expect(harbor.counts.tags).toBe(120)
    await expectEqualToSource(inv, harbor)
  },
  30_000,
)

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { codeOf } from '../accounts/test-accounts.ts'
import type { Db, Tx } from '../store/db/database.ts'
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
  pushImage,
  pushManifest,
  refTo,
  type TestRegistry,
} from './test-registry.ts'

const CONFIG = noise(100, 7)
const LAYER = noise(5_000, 8)
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar'

onEachEngine('children of a manifest', (create) => {
  let registry: TestRegistry

  beforeAll(async () => {
    registry = await createTestRegistry(create)
  })
  afterAll(() => registry.remove())

  test('are refused when the manifest lies about their size', async () => {
    const { first } = registry
    for (const bytes of [CONFIG, LAYER]) await pushBlob(first, 'sizes/a', bytes)
    const lying = { ...descriptorOf(LAYER, LAYER_TYPE), size: LAYER.length - 1 }
    const image = imageOf([CONFIG], { layers: [lying] })
    expect(await codeOf(pushManifest(first, 'sizes/a', image, { tag: 'v1' }))).toBe(
      'manifest_invalid',
    )
    await pushManifest(first, 'sizes/a', imageOf([CONFIG, LAYER]), { tag: 'v1' })
  })

  test('cannot be deleted while an index that holds them has an immutable tag', async () => {
    const { first } = registry
    const name = nameOf('parts/a')
    const part = await pushImage(first, 'parts/a', [CONFIG, LAYER])
    const inner = indexOf([refTo(part)])
    await pushManifest(first, 'parts/a', inner)
    await pushManifest(first, 'parts/a', indexOf([refTo(inner)]), { tag: 'v1' })
    await first.tags.protect(name, 'v1', true)
    expect(await codeOf(first.manifests.remove(name, part.digest, null))).toBe('immutable')
    await first.tags.protect(name, 'v1', false)
    await first.manifests.remove(name, part.digest, null)
  })

  test('are all named when they are missing', async () => {
    const { first } = registry
    await pushBlob(first, 'missing/a', CONFIG)
    const push = pushManifest(first, 'missing/a', imageOf([CONFIG, LAYER, noise(9, 9)]), {})
    const error = await push.then(
      () => undefined,
      (failure: unknown) => failure,
    )
    expect(error).toMatchObject({ code: 'manifest_blob_unknown' })
    expect((error as { details: { problems: unknown[] } }).details.problems.length).toBe(2)
  })

  test('are locked by their contents, wherever their rows are, so that nobody waits in a circle', async () => {
    const { first } = registry
    const { db } = first
    const other = registry.anotherProcess()
    // The last digest becomes the first content, but the last row of the repository.
    const blobs = [1, 2, 3, 4]
      .map((seed) => noise(90 + seed, seed))
      .sort((a, b) => (digestOf(a) < digestOf(b) ? -1 : 1))
    for (const bytes of blobs.toReversed()) await pushBlob(first, 'order/origin', bytes)
    for (const bytes of blobs) {
      await pushBlob(first, 'order/app', bytes)
      registry.pass(1_000)
    }
    const retries = registry.retries()
    const refresh = (tx: Tx, bytes: Uint8Array) =>
      tx
        .updateTable('repository_blob')
        .set({ unreferenced_since: registry.clock() })
        .where('digest', '=', digestOf(bytes))
        .execute()
    const [firstRow = noise(0), ...later] = blobs
    let pushing: Promise<unknown> = Promise.resolve()
    await db.transaction(async (tx) => {
      await refresh(tx, later.at(-1) ?? noise(0))
      pushing = pushManifest(other, 'order/app', imageOf(blobs), { tag: 'v1' })
      await waitsForLock(other.db)
      await refresh(tx, firstRow)
    })
    await pushing
    expect(registry.retries()).toBe(retries)
    const left = await db.query
      .selectFrom('repository_blob')
      .innerJoin('repository', 'repository.id', 'repository_blob.repository')
      .select('unreferenced_since')
      .where('repository.name', '=', 'app')
      .where('unreferenced_since', 'is not', null)
      .execute()
    expect(left.length).toBe(0)
  })
})

/** Until a transaction of this database waits for a row; on SQLite all but one wait anyhow. */
async function waitsForLock({ engine, query }: Db): Promise<void> {
  if (engine.name === 'sqlite') return
  const waiting = sql<{ pid: number }>`select pid from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`
  while ((await waiting.execute(query)).rows.length === 0) await Bun.sleep(5)
}

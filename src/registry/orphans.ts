import type { Clock } from '../lib/clock.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import type { Db } from '../store/db/database.ts'

/** Bytes that no row knows are leftovers only when no request can still be about to name them. */
const ORPHAN_AGE_MS = 24 * 3_600_000
const BATCH = 200

/**
 * Removes stored bytes that no content and no upload names: what a power loss leaves when it takes
 * the row of an upload but not its file. Returns how many keys it removed.
 */
export async function sweepOrphans(
  deps: { db: Db; store: BlobStore; clock: Clock },
  signal?: AbortSignal,
): Promise<number> {
  const { db, store, clock } = deps
  let removed = 0
  let batch: string[] = []
  const flush = async () => {
    const orphans = await unknownKeys(db, batch)
    await store.remove(orphans)
    removed += orphans.length
    batch = []
  }
  for await (const { key, modifiedAt } of store.list()) {
    if (signal?.aborted) break
    if (modifiedAt > clock() - ORPHAN_AGE_MS) continue
    batch.push(key)
    if (batch.length >= BATCH) await flush()
  }
  if (batch.length > 0) await flush()
  return removed
}

/** Those of the keys that no row names. */
export async function unknownKeys(db: Db, keys: readonly string[]): Promise<string[]> {
  if (keys.length === 0) return []
  const known = await db.query
    .selectFrom('content')
    .select('storage_key')
    .where('storage_key', 'in', [...keys])
    .union(
      db.query
        .selectFrom('upload')
        .select('storage_key')
        .where('storage_key', 'in', [...keys]),
    )
    .execute()
  const names = new Set(known.map((row) => row.storage_key))
  return keys.filter((key) => !names.has(key))
}

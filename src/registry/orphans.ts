import type { Clock } from '../lib/clock.ts'
import type { BlobStore, StoredKey } from '../store/blobs/blob-store.ts'
import type { Db } from '../store/db/database.ts'

/** Bytes that no row knows are leftovers only when no request can still be about to name them. */
const ORPHAN_AGE_MS = 24 * 3_600_000
const BATCH = 200

/**
 * Removes stored bytes that no content and no upload names: what a power loss leaves when it takes
 * the row of an upload but not its file. Of what is surely unfinished, also that which lies beside
 * a content, such as a multipart upload that was begun twice. Returns how many keys it removed.
 */
export async function sweepOrphans(
  deps: { db: Db; store: BlobStore; clock: Clock },
  signal?: AbortSignal,
): Promise<number> {
  const { db, store, clock } = deps
  let removed = 0
  let batch = new Map<string, StoredKey>()
  const flush = async () => {
    const orphans = new Set(await unknownKeys(db, [...batch.keys()]))
    const unfinished = [...batch.values()].filter(
      (one) => one.isUnfinished && !orphans.has(one.key),
    )
    const idle = await withoutUpload(
      db,
      unfinished.map(({ key }) => key),
    )
    await store.remove([...orphans])
    await store.removeUnfinished(idle)
    removed += orphans.size + idle.length
    batch = new Map()
  }
  for await (const found of store.list()) {
    if (signal?.aborted) break
    if (found.modifiedAt > clock() - ORPHAN_AGE_MS) continue
    const isUnfinished = found.isUnfinished || batch.get(found.key)?.isUnfinished === true
    batch.set(found.key, { ...found, isUnfinished })
    if (batch.size >= BATCH) await flush()
  }
  if (batch.size > 0) await flush()
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

/** Those of the keys under which no upload may be writing. */
async function withoutUpload(db: Db, keys: readonly string[]): Promise<string[]> {
  if (keys.length === 0) return []
  const rows = await db.query
    .selectFrom('upload')
    .select('storage_key')
    .where('storage_key', 'in', [...keys])
    .execute()
  const written = new Set(rows.map((row) => row.storage_key))
  return keys.filter((key) => !written.has(key))
}

import { sql } from 'kysely'
import type { Config } from '../../lib/config.ts'
import { formatBytes } from '../../lib/format.ts'
import { createLimit } from '../../lib/limit.ts'
import type { BlobStore } from '../../store/blobs/blob-store.ts'
import { openBlobStore } from '../../store/blobs/open.ts'
import type { Db } from '../../store/db/database.ts'
import {
  countRows,
  insertRows,
  pagesOf,
  readTables,
  type TableShape,
} from '../../store/db/tables.ts'
import { databasePlaceOf, isSameStorage, storagePlaceOf } from '../places.ts'
import { sumOfRows } from './compare-rows.ts'
import { type StoredBlob, storedBlobs } from './copy-blobs.ts'
import { sumOfBlobs } from './move.ts'
import { openSource, openTarget } from './source.ts'

/** What is tried out, so that it takes seconds. */
const PROBE_ROWS = 5_000
const PROBE_BLOBS = 20
const PROBE_BYTES = 64 * 1024 * 1024
const PROBE_TABLE = 'entrepot_probe'

export interface Estimate {
  /** undefined: the database stays. */
  database: { tables: number; rows: number; milliseconds: number } | undefined
  /** undefined: the storage stays. */
  storage: { blobs: number; bytes: number; milliseconds: number } | undefined
}

/**
 * How much there is to move, and how long it takes by what a small part of it takes now. Leaves
 * nothing behind; servers may go on meanwhile.
 */
export async function estimateMove(
  config: Config,
  target: Config,
  { parallel }: { parallel: number },
): Promise<Estimate> {
  const source = await openSource(config, { mustStand: false })
  try {
    return {
      database:
        databasePlaceOf(config) === databasePlaceOf(target)
          ? undefined
          : await estimateRows(config, source, target),
      storage: isSameStorage(storagePlaceOf(config), storagePlaceOf(target))
        ? undefined
        : await estimateBlobs(source, await openBoth(config, target), parallel),
    }
  } finally {
    await source.close()
  }
}

export function describeEstimate({ database, storage }: Estimate): string[] {
  const about = (milliseconds: number) => {
    const minutes = Math.ceil(milliseconds / 60_000)
    if (minutes < 2) return 'about a minute or less'
    return minutes < 120 ? `about ${minutes} minutes` : `about ${Math.round(minutes / 60)} hours`
  }
  const note = 'an estimate by a short try'
  return [
    ...(database
      ? [
          `to copy: ${database.rows} rows of ${database.tables} tables; ` +
            `${about(database.milliseconds)} (${note})`,
        ]
      : []),
    ...(storage
      ? [
          `to copy: ${storage.blobs} blobs, ${formatBytes(storage.bytes)}; ` +
            `${about(storage.milliseconds)} (${note})`,
        ]
      : []),
    'nothing was moved',
  ]
}

async function estimateRows(config: Config, source: Db, target: Config) {
  const tables = await readTables(source)
  const counts = new Map<TableShape, number>()
  for (const table of tables) counts.set(table, await countRows(source, table))
  const rows = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const [largest] = [...counts].sort(([, a], [, b]) => b - a)
  const { url } = target.database
  // SQLite would make its file; it is no slower than what it is read from.
  const database = url === undefined ? undefined : await openTarget(config, url)
  const begun = performance.now()
  const tried = largest ? await tryRows(source, database, largest[0]) : 0
  const spent = performance.now() - begun
  await database?.close()
  return { tables: tables.length, rows, milliseconds: tried === 0 ? 0 : (spent / tried) * rows }
}

/** Copies some rows as a move does, and sums them up as its comparison does. */
async function tryRows(source: Db, target: Db | undefined, table: TableShape): Promise<number> {
  let tried = 0
  for await (const page of pagesOf(source, table)) {
    tried += page.length
    await target?.transaction(async (tx) => {
      const columns = table.columns.map(
        ({ name, kind }) =>
          sql`${sql.ref(name)} ${sql.raw({ int: 'bigint', text: 'text', bytes: 'bytea' }[kind])}`,
      )
      await sql`create temporary table ${sql.table(PROBE_TABLE)} (${sql.join(columns)})`.execute(tx)
      await insertRows(tx, { ...table, name: PROBE_TABLE }, page)
      await sql`drop table ${sql.table(PROBE_TABLE)}`.execute(tx)
    })
    if (tried >= PROBE_ROWS) break
  }
  // One for each side.
  for (let i = 0; i < 2; i++) await sumOfRows(source, table, tried)
  return tried
}

async function openBoth(config: Config, target: Config) {
  const from = await openBlobStore(config)
  const to = await openBlobStore({ data: config.data, storage: target.storage })
  await to.prove()
  return { from, to }
}

async function estimateBlobs(
  source: Db,
  { from, to }: { from: BlobStore; to: BlobStore },
  parallel: number,
) {
  const all = await sumOfBlobs(source)
  const sample: StoredBlob[] = []
  let sampleBytes = 0
  const smaller = storedBlobs(source).where('size', '<=', PROBE_BYTES).limit(PROBE_BLOBS)
  for (const blob of await smaller.execute()) {
    if (sampleBytes + blob.size > PROBE_BYTES) continue
    sample.push(blob)
    sampleBytes += blob.size
  }
  const limit = createLimit(parallel)
  const keys: string[] = []
  const begun = performance.now()
  try {
    await Promise.all(sample.map((blob) => limit(() => tryBlob({ from, to, keys }, blob))))
  } finally {
    await to.remove(keys)
  }
  const spent = performance.now() - begun
  const times =
    sample.length === 0
      ? 0
      : Math.max(all.bytes / Math.max(sampleBytes, 1), all.blobs / sample.length)
  return { ...all, milliseconds: spent * times }
}

async function tryBlob(
  { from, to, keys }: { from: BlobStore; to: BlobStore; keys: string[] },
  { key, size }: StoredBlob,
): Promise<void> {
  const stream = await from.stream(key, size)
  if (!stream) return
  const probe = to.newKey()
  keys.push(probe)
  const appender = await to.append(probe, { offset: 0, state: null })
  try {
    for await (const chunk of stream) await appender.write(chunk)
    await to.complete(probe, await appender.checkpoint({ isLast: true }))
  } finally {
    await appender.close()
  }
}

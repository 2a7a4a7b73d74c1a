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
/** Of each of the largest blobs. */
const PROBE_BYTES = 32 * 1024 * 1024
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

/**
 * Every blob takes a while whatever its size, and every byte takes its time: the first is told by the
 * smallest blobs, the second by the beginnings of the largest.
 */
async function estimateBlobs(
  source: Db,
  stores: { from: BlobStore; to: BlobStore },
  parallel: number,
) {
  const all = await sumOfBlobs(source)
  const bySize = storedBlobs(source).clearOrderBy()
  const smallest = await bySize.orderBy('size').limit(PROBE_BLOBS).execute()
  const largest = await bySize.orderBy('size', 'desc').limit(parallel).execute()
  const ofLarge = await timeOf(stores, largest, parallel)
  const ofSmall = await timeOf(stores, smallest, parallel)
  const perByte = ofLarge.bytes === 0 ? 0 : ofLarge.milliseconds / ofLarge.bytes
  const perBlob =
    Math.max(ofSmall.milliseconds - ofSmall.bytes * perByte, 0) / Math.max(smallest.length, 1)
  return { ...all, milliseconds: all.bytes * perByte + all.blobs * perBlob }
}

async function timeOf(
  { from, to }: { from: BlobStore; to: BlobStore },
  blobs: readonly StoredBlob[],
  parallel: number,
): Promise<{ milliseconds: number; bytes: number }> {
  const limit = createLimit(parallel)
  const keys = blobs.map(() => to.newKey())
  const begun = performance.now()
  try {
    const sizes = await Promise.all(
      blobs.map((blob, i) => limit(() => tryBlob({ from, to }, blob, keys[i] ?? ''))),
    )
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    return { milliseconds: performance.now() - begun, bytes }
  } finally {
    await to.remove(keys)
  }
}

/** Returns the bytes that were copied. */
async function tryBlob(
  { from, to }: { from: BlobStore; to: BlobStore },
  { key, size }: StoredBlob,
  probe: string,
): Promise<number> {
  const stream = await from.stream(key, size)
  if (!stream) return 0
  const appender = await to.append(probe, { offset: 0, state: null })
  let copied = 0
  try {
    for await (const chunk of stream) {
      await appender.write(chunk)
      copied += chunk.length
      if (copied >= PROBE_BYTES) break
    }
    await to.complete(probe, await appender.checkpoint({ isLast: true }))
    return copied
  } finally {
    await appender.close()
  }
}

import type { Clock } from '../../lib/clock.ts'
import type { Db, Tx } from '../../store/db/database.ts'
import {
  encodeObject,
  nameOfObject,
  type ObjectHeader,
  type ObjectKind,
} from '../../store/journal/journal-object.ts'
import type { JournalStore } from '../../store/journal/journal-store.ts'
import { acknowledge, type Head, reserve } from './head.ts'
import type { EncodedRecord } from './records.ts'

interface WriteOptions {
  header?: Partial<ObjectHeader>
  /** What the row says besides, once the object of so many bytes is stored. */
  row?: (head: Head, size: number) => Partial<Head>
  /** In the transaction that notes it. */
  also?: (tx: Tx) => Promise<void>
}

/** Writes the next object and what the row says then; undefined: lost to another process. */
export type WriteObject = (
  head: Head,
  kind: ObjectKind,
  records: readonly EncodedRecord[],
  options?: WriteOptions,
) => Promise<Head | undefined>

/**
 * The number of an object is reserved before it is stored and acknowledged afterwards, so that two
 * who write never give one number to two objects.
 */
export function createWriteObject(deps: {
  db: Db
  store: JournalStore
  clock: Clock
}): WriteObject {
  const { db, store, clock } = deps

  return async (head, kind, records, { header = {}, row, also } = {}) => {
    const reserved = await db.transaction((tx) => reserve(tx, head, { now: clock() }))
    if (!reserved) return undefined
    const { lineage, sequence, acknowledged: previous } = reserved
    const bytes = encodeObject({
      header: { lineage, sequence, kind, previous, at: clock(), ...header },
      records: records.map(({ line }) => line),
    })
    await store.put(nameOfObject({ lineage, sequence, kind }), bytes)
    return db.transaction(async (tx) => {
      const done = await acknowledge(tx, reserved, row?.(reserved, bytes.length) ?? {})
      if (done) await also?.(tx)
      return done
    })
  }
}

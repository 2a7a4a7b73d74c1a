import { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import { newHex } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import type { Db, Tx } from '../../store/db/database.ts'
import type { ObjectHeader, ObjectKind } from '../../store/journal/journal-object.ts'
import { encodeObject, nameOfObject } from '../../store/journal/journal-object.ts'
import type { JournalStore } from '../../store/journal/journal-store.ts'
import { chunked } from '../chunked.ts'
import { storedInstallationId } from '../installation.ts'
import { type Change, pendingChanges } from './changes.ts'
import {
  acknowledge,
  claimHead,
  createHead,
  type Head,
  readHead,
  releaseHead,
  replacedBy,
  reserve,
} from './head.ts'
import { isComplete, readLineages } from './lineages.ts'
import { type Cursor, cursorSchema, FIRST, readPage } from './pages.ts'
import type { EncodedRecord } from './records.ts'
import { recordsOf } from './states.ts'

/** Changes wait so long at most before they are in the store, when nothing is wrong. */
const INTERVAL_MS = 5_000
const MOST_PAUSE_MS = 60_000
/** A process that is to end writes for so long at most; the rest waits for the next one. */
const LAST_MS = 5_000
/** Changes are worth a new snapshot when they are larger than the last one, or than this. */
const SNAPSHOT_BYTES = 8 * 1024 * 1024
const SNAPSHOT_OBJECTS = 1_000

/** A snapshot that is being written; `at` null: all pages are there, changes still may not be. */
const progressSchema = z.object({
  at: cursorSchema.nullable(),
  bytes: z.number(),
  objects: z.number(),
})

export interface JournalWriter {
  /** Writes all that there is to write; nothing while another process does. */
  flush(): Promise<void>
  /** Flushes again and again until `stop`. */
  start(): void
  /** Writes what there is, as far as that is quick, and lets another process go on at once. */
  stop(): Promise<void>
}

/**
 * Writes what changes in the database into the store, and now and then all of it, so that older
 * objects can go. Any number of processes may try; one of them writes.
 */
export function createJournalWriter(deps: {
  db: Db
  store: JournalStore
  clock: Clock
  log: Log
}): JournalWriter {
  const { db, store, clock, log } = deps
  const writer = newHex(8)
  /** The store was compared with the row, once in each process. */
  let examined = false

  /** undefined: lost to another process. */
  async function write(
    head: Head,
    kind: ObjectKind,
    records: readonly EncodedRecord[],
    { header = {}, row, also }: WriteOptions = {},
  ): Promise<Head | undefined> {
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

  function writeChanges(head: Head, changes: readonly Change[], records: EncodedRecord[]) {
    return write(head, 'changes', records, {
      row: ({ change_bytes: bytes, change_objects: objects }, size) => ({
        change_bytes: bytes + size,
        change_objects: objects + 1,
      }),
      async also(tx) {
        for (const some of chunked(changes.map(({ id }) => id))) {
          await tx.deleteFrom('journal_change').where('id', 'in', some).execute()
        }
      },
    })
  }

  async function writePage(head: Head, at: Cursor): Promise<Head | undefined> {
    const progress = progressOf(head)
    const { records, next } = await readPage(db.query, at)
    return write(head, 'page', records, {
      row: (_, size) => ({
        next_cursor: JSON.stringify({
          at: next ?? null,
          bytes: progress.bytes + size,
          objects: progress.objects + 1,
        }),
      }),
    })
  }

  async function writeEnd(head: Head): Promise<void> {
    const installation = await storedInstallationId(db.query)
    const start = head.next_start ?? 0
    const { bytes, objects } = progressOf(head)
    const done = await write(head, 'end', [], {
      header: { start, ...(installation === undefined ? {} : { installation }) },
      row: ({ sequence }) => ({
        snapshot_start: start,
        snapshot_end: sequence,
        snapshot_bytes: bytes,
        snapshot_objects: objects,
        change_bytes: 0,
        change_objects: 0,
        next_start: null,
        next_cursor: null,
      }),
    })
    if (done) await removeOld(done)
  }

  /** What came before the last snapshot, and journals that this one replaces. */
  async function removeOld(head: Head): Promise<void> {
    const replaced = replacedBy(head)
    const lineages = await readLineages(store)
    const old = [...lineages].flatMap(([lineage, objects]) => {
      if (replaced.includes(lineage)) return objects
      if (lineage !== head.lineage) return []
      return objects.filter(({ sequence }) => sequence < (head.snapshot_start ?? 0))
    })
    // The ends first: a snapshot of which some objects are gone must not look complete.
    const ends = old.filter(({ kind }) => kind === 'end')
    await store.remove(ends.map(nameOfObject))
    await store.remove(old.filter(({ kind }) => kind !== 'end').map(nameOfObject))
    if (replaced.length === 0) return
    await db.transaction((tx) =>
      tx
        .updateTable('journal_head')
        .set({ replaces: null })
        .where('lineage', '=', head.lineage)
        .where('replaces', '=', head.replaces)
        .execute(),
    )
  }

  async function beginSnapshot(head: Head, asked: readonly Change[]): Promise<void> {
    const progress = { at: FIRST, bytes: 0, objects: 0 }
    await db.transaction(async (tx) => {
      // The number that this takes has no object; it tells others that changes were removed.
      const row = {
        next_start: head.sequence + 2,
        next_cursor: JSON.stringify(progress),
        now: clock(),
      }
      if (!(await reserve(tx, head, row))) return
      // Without anything before them, changes that were seen until here are in the pages anyway.
      const covered = tx.deleteFrom('journal_change')
      if (head.snapshot_end === null) await covered.execute()
      else for (const { id } of asked) await covered.where('id', '=', id).execute()
    })
  }

  /**
   * The database may have been put back to an older state, or the store be another one: then the
   * journal in the store is not what the row says, and a new one takes its place.
   */
  async function examine(): Promise<void> {
    const lineages = await readLineages(store)
    // After the list, so that no number in it can be above that of the row.
    const head = await readHead(db.query)
    if (!head) return
    const own = lineages.get(head.lineage) ?? []
    const has = (sequence: number | null) =>
      !sequence || own.some((object) => object.sequence === sequence)
    const isOurs =
      has(head.acknowledged) &&
      has(head.snapshot_end) &&
      (own.at(-1)?.sequence ?? 0) <= head.sequence
    if (isOurs) {
      if (head.snapshot_end !== null) await removeOld(head)
    } else {
      log.warn('journal in the store is not the one of this database: it is written anew', {
        lineage: head.lineage,
      })
      await startOver(head, own.length > 0)
    }
    for (const [lineage, objects] of lineages) {
      if (lineage === head.lineage || replacedBy(head).includes(lineage) || !isComplete(objects)) {
        continue
      }
      log.warn(
        'the store holds the journal of another database: if that one is lost, stop and run "entrepot rebuild"; leftovers in the store are not removed meanwhile',
        { lineage },
      )
    }
  }

  async function startOver(head: Head, hasObjects: boolean): Promise<void> {
    const replaces = [...replacedBy(head), ...(hasObjects ? [head.lineage] : [])]
    await db.transaction(async (tx) => {
      await tx
        .deleteFrom('journal_head')
        .where('lineage', '=', head.lineage)
        .where('sequence', '=', head.sequence)
        .execute()
      await createHead(tx, { lineage: newHex(8), replaces })
    })
  }

  async function openHead(): Promise<Head | undefined> {
    const head = await readHead(db.query)
    if (head) return head
    await db.transaction((tx) => createHead(tx, { lineage: newHex(8), replaces: [] }))
    return readHead(db.query)
  }

  /** True: there is more. */
  async function step(): Promise<boolean> {
    const seen = await openHead()
    if (!seen || (seen.writer !== writer && seen.writer_until > clock())) return false
    const { changes, isAll } = await pendingChanges(db.query)
    const asked = changes.filter(({ kind }) => kind === 'snapshot')
    const wantsSnapshot = asked.length > 0 || (seen.next_start === null && isDue(seen))
    if (changes.length === 0 && seen.next_start === null && !wantsSnapshot) return false
    if (!(await claimHead(db, writer, clock()))) return false
    if (!examined) {
      await examine()
      examined = true
      return true
    }
    if (wantsSnapshot) {
      await beginSnapshot(seen, asked)
      return true
    }
    let head: Head | undefined = seen
    if (changes.length > 0) {
      head = await writeChanges(head, changes, await recordsOf(db.query, changes))
    }
    if (!head || head.next_start === null) return true
    const { at } = progressOf(head)
    if (at) await writePage(head, at)
    // All that changed until the last page was read is in the journal now.
    else if (isAll) await writeEnd(head)
    return true
  }

  async function flush(): Promise<void> {
    while (await step());
  }

  let timer: Timer | undefined
  let running = Promise.resolve()
  let stopped = false
  let pause = INTERVAL_MS

  function schedule(): void {
    timer = setTimeout(() => {
      running = tick()
    }, pause)
  }

  async function tick(): Promise<void> {
    try {
      while (!stopped && (await step()));
      pause = INTERVAL_MS
    } catch (error) {
      log.warn('journal not written', { error })
      examined = false
      pause = Math.min(pause * 2, MOST_PAUSE_MS)
    }
    if (!stopped) schedule()
  }

  return {
    flush,
    start: schedule,
    async stop() {
      stopped = true
      clearTimeout(timer)
      await running
      try {
        const until = Date.now() + LAST_MS
        while (Date.now() < until && (await step()));
        await releaseHead(db, writer)
      } catch (error) {
        log.warn('journal not written', { error })
      }
    },
  }
}

interface WriteOptions {
  header?: Partial<ObjectHeader>
  /** What the row says besides, once the object of so many bytes is stored. */
  row?: (head: Head, size: number) => Partial<Head>
  /** In the transaction that notes it. */
  also?: (tx: Tx) => Promise<void>
}

function progressOf({ next_cursor }: Head): z.infer<typeof progressSchema> {
  return progressSchema.parse(JSON.parse(next_cursor ?? 'null'))
}

function isDue(head: Head): boolean {
  return (
    head.snapshot_end === null ||
    head.change_bytes > Math.max(SNAPSHOT_BYTES, head.snapshot_bytes) ||
    head.change_objects > Math.max(SNAPSHOT_OBJECTS, head.snapshot_objects * 10)
  )
}

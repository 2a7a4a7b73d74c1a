import type { Clock } from '../../lib/clock.ts'
import { newHex } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import type { Db } from '../../store/db/database.ts'
import type { JournalStore } from '../../store/journal/journal-store.ts'
import { chunked } from '../chunked.ts'
import { type Change, pendingChanges } from './changes.ts'
import { claimHead, createHead, type Head, readHead, releaseHead, replacedBy } from './head.ts'
import { isComplete, readLineages } from './lineages.ts'
import type { EncodedRecord } from './records.ts'
import { createSnapshots } from './snapshots.ts'
import { recordsOf } from './states.ts'
import { createWriteObject } from './write-object.ts'

/** Changes wait so long at most before they are in the store, when nothing is wrong. */
const INTERVAL_MS = 5_000
const MOST_PAUSE_MS = 60_000
/** A process that is to end writes for so long at most; the rest waits for the next one. */
const LAST_MS = 5_000

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
  const write = createWriteObject({ db, store, clock })
  const snapshots = createSnapshots({ db, store, clock, write })
  /** The store was compared with the row, once in each process. */
  let examined = false

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
      if (head.snapshot_end !== null) await snapshots.removeOld(head)
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
    const wantsSnapshot = asked.length > 0 || (seen.next_start === null && snapshots.isDue(seen))
    if (changes.length === 0 && seen.next_start === null && !wantsSnapshot) return false
    if (!(await claimHead(db, writer, clock()))) return false
    if (!examined) {
      await examine()
      examined = true
      return true
    }
    if (wantsSnapshot) {
      await snapshots.begin(seen, asked)
      return true
    }
    let head: Head | undefined = seen
    if (changes.length > 0) {
      head = await writeChanges(head, changes, await recordsOf(db.query, changes))
    }
    if (!head || head.next_start === null) return true
    if (!snapshots.hasAllPages(head)) await snapshots.writePage(head)
    // All that changed until the last page was read is in the journal now.
    else if (isAll) await snapshots.end(head)
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

import { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import type { Db } from '../../store/db/database.ts'
import { nameOfObject } from '../../store/journal/journal-object.ts'
import type { JournalStore } from '../../store/journal/journal-store.ts'
import { storedInstallationId } from '../installation.ts'
import type { Change } from './changes.ts'
import { type Head, replacedBy, reserve } from './head.ts'
import { readLineages } from './lineages.ts'
import { cursorSchema, FIRST, readPage } from './pages.ts'
import type { WriteObject } from './write-object.ts'

/*
 * A snapshot is all of the database, page by page, between the changes that go on meanwhile. With
 * its end, what came before it can go.
 */

/** Changes are worth a new snapshot when they are larger than the last one, or than this. */
const SNAPSHOT_BYTES = 8 * 1024 * 1024
const SNAPSHOT_OBJECTS = 1_000

/** A snapshot that is being written; `at` null: all pages are there, changes still may not be. */
const progressSchema = z.object({
  at: cursorSchema.nullable(),
  bytes: z.number(),
  objects: z.number(),
})

export interface Snapshots {
  /** True: the changes since the last one are worth a new one. */
  isDue(head: Head): boolean
  /** @param asked changes that ask for it */
  begin(head: Head, asked: readonly Change[]): Promise<void>
  /** True: all pages of the one that is being written are there. */
  hasAllPages(head: Head): boolean
  writePage(head: Head): Promise<void>
  /** After its last page, once all that changed until then is in the journal. */
  end(head: Head): Promise<void>
  /** Removes what came before the last one, and journals that this one replaces. */
  removeOld(head: Head): Promise<void>
}

export function createSnapshots(deps: {
  db: Db
  store: JournalStore
  clock: Clock
  write: WriteObject
}): Snapshots {
  const { db, store, clock, write } = deps

  async function writePage(head: Head): Promise<void> {
    const { at, ...progress } = progressOf(head)
    if (!at) return
    const { records, next } = await readPage(db.query, at)
    await write(head, 'page', records, {
      row: (_, size) => ({
        next_cursor: JSON.stringify({
          at: next ?? null,
          bytes: progress.bytes + size,
          objects: progress.objects + 1,
        }),
      }),
    })
  }

  async function end(head: Head): Promise<void> {
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

  async function begin(head: Head, asked: readonly Change[]): Promise<void> {
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

  return {
    isDue,
    begin,
    hasAllPages: (head) => progressOf(head).at === null,
    writePage,
    end,
    removeOld,
  }
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

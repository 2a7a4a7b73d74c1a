import type { Clock } from '../../../lib/clock.ts'
import { AppError } from '../../../lib/errors.ts'
import { newHex } from '../../../lib/ids.ts'
import type { BlobStore } from '../../../store/blobs/blob-store.ts'
import type { Db } from '../../../store/db/database.ts'
import type { ObjectName } from '../../../store/journal/journal-object.ts'
import type { JournalStore } from '../../../store/journal/journal-store.ts'
import { keepInstallationId } from '../../installation.ts'
import type { CreateManifestWatch } from '../../manifest-watch.ts'
import { createHead } from '../head.ts'
import { isComplete, readLineages } from '../lineages.ts'
import type { RecordKind } from '../records.ts'
import { check, readStored } from './check.ts'
import { beginRebuild, endRebuild } from './marker.ts'
import { readObject, replay } from './replay.ts'
import { restoreRows } from './restore.ts'
import { restoreWatched } from './restore-watched.ts'
import { openScratch, type Scratch } from './scratch.ts'

export interface RebuildOptions {
  /** Also reads every blob and compares its digest. */
  deep: boolean
  /** Brings back what it can although objects of the journal are missing or damaged. */
  partial: boolean
  /** Which journal, where the store has several. */
  lineage?: string | undefined
  /** The setting `manifests.sparse`. */
  sparse: boolean
}

export interface RebuildDeps {
  /** undefined: a dry run, which writes nothing. */
  db: Db | undefined
  store: BlobStore
  journal: JournalStore
  clock: Clock
  /** A folder that is not there, for as long as the rebuild takes. */
  folder: string
  /** Read models of manifests; the clock says when each was pushed. */
  createWatch?: (clock: Clock) => CreateManifestWatch
  /** Takes what is lost, one sentence each, and how far the work is. */
  onLost(sentence: string): void
  onProgress?: (part: string) => void
}

export interface RebuildReport {
  lineage: string
  /** When the journal was last written, epoch milliseconds. */
  lastAt: number
  /** What was brought back, or would be. */
  counts: Record<RecordKind, number>
  /** Sentences about missing and damaged objects. */
  damage: string[]
  lost: number
  /** Stored bytes that no record names. */
  unnamed: { count: number; bytes: number; keys: string[] }
}

/** Of unnamed bytes so many are told by key. */
const MOST_KEYS = 100

/**
 * Makes the rows of an empty database out of the journal in the store. After a kill it can be run
 * again.
 * @throws AppError not_found without a journal, invalid_input when there are several, conflict when
 *   the database is not empty or the journal is damaged
 */
export async function rebuild(deps: RebuildDeps, options: RebuildOptions): Promise<RebuildReport> {
  const { store, journal, clock, folder, onProgress = () => {} } = deps
  const [lineage, objects] = await chooseLineage(journal, options.lineage)
  const db = deps.db && (await beginRebuild(deps.db, lineage))
  const scratch = openScratch(folder)
  try {
    const { lastAt, installation, damage } = await replay(journal, objects, scratch)
    onProgress('journal')
    if (damage.length > 0 && db && !options.partial) throw damaged(damage)
    await readStored(store, scratch)
    onProgress('store')
    let lost = 0
    await check(store, scratch, {
      ...options,
      onProgress,
      onLost(sentence) {
        lost++
        deps.onLost(sentence)
      },
    })
    if (db) {
      await restoreRows({ db, scratch, clock, onProgress })
      if (deps.createWatch) await restoreWatched(db, { ...deps, scratch }, deps.createWatch)
      await db.transaction(async (tx) => {
        if (installation !== undefined) await keepInstallationId(tx, installation)
        // What was written here is told by the first snapshot of the new journal.
        await createHead(tx, { lineage: newHex(8), replaces: [lineage] })
        await endRebuild(tx)
      })
    }
    const kinds = ['project', 'repository', 'blob', 'manifest', 'tag'] as const
    const counts = Object.fromEntries(kinds.map((kind) => [kind, scratch.count(kind)]))
    return {
      lineage,
      lastAt,
      counts: counts as Record<RecordKind, number>,
      damage,
      lost,
      unnamed: unnamedOf(scratch),
    }
  } finally {
    scratch.close()
  }
}

async function chooseLineage(
  journal: JournalStore,
  wanted: string | undefined,
): Promise<[string, ObjectName[]]> {
  const lineages = await readLineages(journal)
  const complete = [...lineages].filter(([, objects]) => isComplete(objects))
  if (wanted !== undefined) {
    const objects = lineages.get(wanted)
    if (objects) return [wanted, objects]
    const others = await listed(journal, complete)
    throw new AppError('not_found', `the store has no journal ${wanted}${others}`)
  }
  const [only] = complete
  if (only && complete.length === 1) return only
  if (!only) {
    throw new AppError(
      'not_found',
      'the store has no complete journal, so there is nothing that a database can be made of',
    )
  }
  throw new AppError(
    'invalid_input',
    `the store has several journals, of different databases; choose one with --journal${await listed(journal, complete)}`,
  )
}

/** One line for each, with what tells them apart. */
async function listed(
  journal: JournalStore,
  lineages: readonly [string, ObjectName[]][],
): Promise<string> {
  const lines: string[] = []
  for (const [lineage, objects] of lineages) {
    const last = objects.at(-1)
    const read = last && (await readObject(journal, last, []))
    const at = read ? new Date(read.header.at).toISOString() : 'at an unknown time'
    lines.push(`\n  ${lineage}: ${objects.length} objects, the last one written ${at}`)
  }
  return lines.join('')
}

function damaged(damage: readonly string[]): AppError {
  return new AppError(
    'conflict',
    `the journal is damaged; --partial brings back what can be read\n  ${damage.join('\n  ')}`,
  )
}

function unnamedOf(scratch: Scratch): RebuildReport['unnamed'] {
  const unnamed: RebuildReport['unnamed'] = { count: 0, bytes: 0, keys: [] }
  for (const page of scratch.unnamed()) {
    for (const { key, size } of page) {
      unnamed.count += 1
      unnamed.bytes += size
      if (unnamed.keys.length < MOST_KEYS) unnamed.keys.push(key)
    }
  }
  return unnamed
}

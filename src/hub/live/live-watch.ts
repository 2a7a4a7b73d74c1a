import type { JobQueue, JobView } from '../../jobs/queue.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Db } from '../../store/db/database.ts'
import type { SyncRow } from '../inventory/sync-rows.ts'
import { AWAY_AFTER_MS } from '../runners/identity.ts'
import { type RunnerRecord, readRunners } from '../runners/runners.ts'
import { type Transfer, transferOf } from '../transfers/transfer.ts'
import { selectTransfers } from '../transfers/transfer-rows.ts'
import { type LiveKind, type MarkedRow, MOST_ROWS, readChangedRows } from './changed-rows.ts'

/** What changed between two looks, as it is now. */
export interface LiveBatch {
  transfers: Transfer[]
  jobs: JobView[]
  syncs: SyncRow[]
  /** Ids; who may see them is asked of each listener. */
  registries: string[]
  runners: RunnerRecord[]
}

export interface LiveListener {
  changed(batch: LiveBatch): void
  /** Something may have been missed: what is shown has to be read again. */
  missed(): void
  /** After each look, whether it found something or not. */
  looked(): void
  /** There will be nothing more. */
  ended(): void
}

export interface LiveWatch {
  /** What changes from when this resolves on is told. Returns what ends it. */
  listen(listener: LiveListener): Promise<() => void>
  /** Ends all listeners, for good. */
  close(): void
}

/**
 * Rows are written before they can be seen, by processes with clocks of their own: each look goes
 * back this far, and what was told already is known by its mark.
 */
const OVERLAP_MS = 15_000
const LOOK_MS = 1_000

/**
 * Tells of work that other processes do, by looking into the database: once a second for all
 * listeners of a process, and not at all while nobody listens.
 */
export function createLiveWatch(deps: {
  db: Db
  clock: Clock
  log: Log
  queue: Pick<JobQueue, 'list'>
  /** Milliseconds between two looks; a second unless set. */
  lookMs?: number | undefined
}): LiveWatch {
  const { db, clock, log, queue, lookMs = LOOK_MS } = deps
  const listeners = new Set<LiveListener>()
  let told = new Map<string, string>()
  /** When the last look began that succeeded; undefined: nothing is known. */
  let lookedAt: number | undefined
  let starting: Promise<unknown> | undefined
  let isRunning = false
  let closed = false

  const keyOf = ({ kind, id }: MarkedRow) => `${kind} ${id}`

  /** The rows that are news, unless something may have been missed. */
  async function look(): Promise<MarkedRow[] | 'missed'> {
    const now = clock()
    const before = lookedAt
    const rows = await readChangedRows(db.query, now - OVERLAP_MS, now - AWAY_AFTER_MS)
    const known = told
    told = new Map(rows.map((row) => [keyOf(row), row.mark]))
    lookedAt = now
    const isGone = [...known.keys()].some(
      (key) => /^(registry|runner) /.test(key) && !told.has(key),
    )
    // Half of the overlap is left for rows that come to light late.
    const isLate = before === undefined || now - before > OVERLAP_MS / 2
    if (isGone || isLate) return 'missed'
    const news = rows.filter((row) => known.get(keyOf(row)) !== row.mark)
    const isFull = (kind: LiveKind) => news.filter((row) => row.kind === kind).length >= MOST_ROWS
    return isFull('transfer') || isFull('job') ? 'missed' : news
  }

  async function batchOf(rows: readonly MarkedRow[]): Promise<LiveBatch> {
    const ids = (kind: LiveKind) => rows.filter((row) => row.kind === kind).map(({ id }) => id)
    const [transfers, jobs, syncs, runners] = await Promise.all([
      readTransfers(ids('transfer').map(Number)),
      readJobs(ids('job').map(Number)),
      readSyncs(ids('sync').map(Number)),
      readRunnersOf(ids('runner')),
    ])
    return { transfers, jobs, syncs, registries: ids('registry'), runners }
  }

  async function readTransfers(ids: number[]): Promise<Transfer[]> {
    if (ids.length === 0) return []
    const rows = await selectTransfers(db.query).where('transfer.id', 'in', ids).execute()
    return rows.map(transferOf)
  }

  async function readJobs(ids: number[]): Promise<JobView[]> {
    return ids.length === 0 ? [] : (await queue.list({ ids, limit: ids.length })).items
  }

  async function readSyncs(ids: number[]): Promise<SyncRow[]> {
    if (ids.length === 0) return []
    return db.query.selectFrom('image_sync').selectAll().where('id', 'in', ids).execute()
  }

  async function readRunnersOf(ids: string[]): Promise<RunnerRecord[]> {
    return ids.length === 0 ? [] : readRunners(db.query, clock(), { ids })
  }

  async function run(): Promise<void> {
    while (listeners.size > 0 && !closed) {
      await Bun.sleep(lookMs)
      if (listeners.size === 0 || closed) break
      try {
        const news = await look()
        if (news === 'missed') for (const listener of listeners) listener.missed()
        else if (news.length > 0) {
          const batch = await batchOf(news)
          for (const listener of listeners) listener.changed(batch)
        }
      } catch (error) {
        // Marks of what was not told are forgotten, so that it is told as missed.
        lookedAt = undefined
        if (!closed) log.warn('changes not read', { error })
      }
      for (const listener of listeners) listener.looked()
    }
    lookedAt = undefined
    told = new Map()
    isRunning = false
  }

  return {
    async listen(listener) {
      // What the next look finds new compared to this one is told.
      if (lookedAt === undefined && listeners.size === 0) {
        starting ??= look().finally(() => {
          starting = undefined
        })
        await starting
      }
      if (closed) {
        listener.ended()
        return () => {}
      }
      listeners.add(listener)
      if (!isRunning) {
        isRunning = true
        void run()
      }
      return () => listeners.delete(listener)
    },
    close() {
      closed = true
      for (const listener of listeners) listener.ended()
      listeners.clear()
    },
  }
}

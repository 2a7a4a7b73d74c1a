import { because, type Says } from '../lib/reasons.ts'
import { storedSays } from '../lib/stored-says.ts'
import type { Db, Queryable, Tx } from '../store/db/database.ts'
import type { Row } from '../store/db/schema.ts'
import { type JobState, PRIORITIES } from './queue.ts'

/*
 * A running job belongs to whoever stands in `lease_owner`, until `lease_until`. Whoever finds the
 * lease run out gives the job back to the queue; the next run has a higher `attempts`. So owner and
 * attempt together name one run, and every write of a run carries them in its WHERE: one that has
 * lost its lease changes nothing any more.
 */

const LEVELS = [PRIORITIES.high, PRIORITIES.normal, PRIORITIES.low]

/** One run, as far as the database knows it. */
export interface Lease {
  id: number
  owner: string
  attempt: number
}

export type ClaimedRow = Row<'job'>

/** What becomes of a run. */
export type Outcome =
  | { state: 'done' | 'cancelled' }
  | { state: 'failed'; error: string; says?: Says | undefined }
  | { state: 'queued'; runAt: number; error?: string; says?: Says | undefined; uncounted?: true }

export interface ClaimOptions {
  owner: string
  names: readonly string[]
  now: number
  leaseUntil: number
  limit: number
}

/** The query of `nextDue`. */
export function firstOfEachLevel(db: Db) {
  return db.query.selectNoFrom((eb) =>
    LEVELS.map((priority, i) =>
      eb
        .selectFrom('job')
        .select((job) => job.fn.min('run_at').as('run_at'))
        .where('state', '=', 'queued')
        .where('priority', '=', priority)
        .as(`level${i}`),
    ),
  )
}

/** When the first queued job of each priority is due, highest priority first; reads only. */
export async function nextDue(db: Db): Promise<{ priority: number; runAt: number }[]> {
  const row = await firstOfEachLevel(db).executeTakeFirstOrThrow()
  const times = row as Record<string, number | null>
  return LEVELS.flatMap((priority, i) => {
    const runAt = times[`level${i}`]
    return typeof runAt === 'number' ? [{ priority, runAt }] : []
  })
}

/** Due jobs of one priority that nobody else is about to take, oldest first. */
export function dueJobs(db: Db, from: Queryable, priority: number, options: ClaimOptions) {
  return db.engine.lockFreeRows(
    from
      .selectFrom('job')
      .select('job.id')
      .where('state', '=', 'queued')
      .where('priority', '=', priority)
      .where('run_at', '<=', options.now)
      .where('name', 'in', [...options.names])
      .orderBy('run_at')
      .orderBy('id')
      .limit(options.limit),
  )
}

/** Takes due jobs of one priority. */
export async function claim(tx: Tx, db: Db, priority: number, options: ClaimOptions) {
  const rows = await tx
    .with('due', () => dueJobs(db, tx, priority, options))
    .updateTable('job')
    .set((eb) => ({
      state: 'running',
      lease_owner: options.owner,
      lease_until: options.leaseUntil,
      attempts: eb('attempts', '+', 1),
      started_at: options.now,
      updated_at: options.now,
    }))
    .where('id', 'in', (query) => query.selectFrom('due').select('due.id'))
    .returningAll()
    .execute()
  return rows.sort((a, b) => a.run_at - b.run_at || a.id - b.id)
}

/** What the database says of the running jobs of `owner`. */
export function runningOf(db: Db, owner: string) {
  return db.query
    .selectFrom('job')
    .select(['id', 'attempts', 'cancel_requested'])
    .where('state', '=', 'running')
    .where('lease_owner', '=', owner)
    .execute()
}

/** Renews a lease and writes the progress, JSON. False: the lease is lost. */
export async function renew(
  tx: Tx,
  lease: Lease,
  until: number,
  progress: { text: string; now: number } | undefined,
) {
  const { numUpdatedRows } = await tx
    .updateTable('job')
    .set({
      lease_until: until,
      ...(progress ? { progress: progress.text, updated_at: progress.now } : {}),
    })
    .where('id', '=', lease.id)
    .where('state', '=', 'running')
    .where('lease_owner', '=', lease.owner)
    .where('attempts', '=', lease.attempt)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

function errorOf(outcome: Outcome): { error: string | null; error_says: string | null } {
  const { error = null, says } = 'error' in outcome ? outcome : {}
  return { error, error_says: storedSays(error, says) }
}

/**
 * Writes how a run ended. A cancellation that the run had not heard of wins over another run.
 * False: the lease is lost, and nothing was written.
 */
export async function finish(
  tx: Tx,
  lease: Lease,
  outcome: Outcome,
  { now, progress }: { now: number; progress: string | undefined },
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('job')
    .set({ lease_owner: null, lease_until: null, updated_at: now })
    .$if(progress !== undefined, (update) => update.set({ progress }))
    .$if('error' in outcome, (update) => update.set(errorOf(outcome)))
    .set((eb) => {
      if (outcome.state !== 'queued') return { state: outcome.state, finished_at: now }
      const cancelled = eb.case().when('cancel_requested', '=', 1)
      return {
        state: cancelled.then<JobState>('cancelled').else<JobState>('queued').end(),
        finished_at: cancelled.then<number | null>(now).else(null).end(),
        run_at: outcome.runAt,
        attempts: eb('attempts', '-', outcome.uncounted ? 1 : 0),
      }
    })
    .where('id', '=', lease.id)
    .where('state', '=', 'running')
    .where('lease_owner', '=', lease.owner)
    .where('attempts', '=', lease.attempt)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/**
 * Takes jobs from owners that have let their leases run out, because their process died or stood
 * still: back to the queue, or to their end. Returns how many.
 */
export async function reap(db: Db, now: number): Promise<number> {
  const expired = await db.query
    .selectFrom('job')
    .select('id')
    .where('state', '=', 'running')
    .where('lease_until', '<', now)
    .limit(1)
    .execute()
  // Looking first spares the write lock, as there is nearly always nothing to do.
  if (expired.length === 0) return 0
  return db.transaction(async (tx) => {
    const ended = { lease_owner: null, lease_until: null, updated_at: now }
    const expiring = tx
      .updateTable('job')
      .where('state', '=', 'running')
      .where('lease_until', '<', now)
    const cancelled = await expiring
      .set({ ...ended, state: 'cancelled', finished_at: now })
      .where('cancel_requested', '=', 1)
      .executeTakeFirst()
    const error = 'the process that ran it stopped answering'
    const told = { error, error_says: storedSays(error, because('job_lost', {}).reason) }
    const failed = await expiring
      .set({ ...ended, state: 'failed', finished_at: now, ...told })
      .whereRef('attempts', '>=', 'max_attempts')
      .executeTakeFirst()
    const queued = await expiring.set({ ...ended, state: 'queued', ...told }).executeTakeFirst()
    return Number(cancelled.numUpdatedRows + failed.numUpdatedRows + queued.numUpdatedRows)
  })
}

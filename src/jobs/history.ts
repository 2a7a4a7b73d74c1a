import { z } from 'zod'
import { type Clock, systemClock } from '../lib/clock.ts'
import type { Db } from '../store/db/database.ts'
import { defineJob, type Job } from './job.ts'
import { PRIORITIES } from './queue.ts'

const DAY_MS = 24 * 60 * 60_000

export interface HistoryDeps {
  db: Db
  clock?: Clock
  /** How long a job that has ended stays in lists; 30 unless set. */
  keepDays?: number
  /** Rows per transaction; 500 unless set. */
  batch?: number
}

const payload = z.object({})

/** The job that removes old jobs from the history. */
export function createHistoryJob(deps: HistoryDeps): Job<typeof payload> {
  return defineJob({
    name: 'jobs.prune',
    schema: payload,
    async run(_, { progress, heartbeat }) {
      let removed = 0
      for await (const count of pruneHistory(deps)) {
        removed += count
        progress({ removed })
        await heartbeat()
      }
    },
  })
}

/** Removes jobs that ended more than `keepDays` ago, in batches; yields the rows of each. */
export async function* pruneHistory({
  db,
  clock = systemClock,
  keepDays = 30,
  batch = 500,
}: HistoryDeps): AsyncGenerator<number> {
  const before = clock() - keepDays * DAY_MS
  for (const state of ['done', 'failed', 'cancelled'] as const) {
    for (const priority of Object.values(PRIORITIES)) {
      for (let count = batch; count === batch; ) {
        count = await removeSome(db, { state, priority, before, limit: batch })
        if (count > 0) yield count
      }
    }
  }
}

async function removeSome(
  db: Db,
  of: {
    state: 'done' | 'failed' | 'cancelled'
    priority: number
    before: number
    limit: number
  },
): Promise<number> {
  const { numDeletedRows } = await db.transaction(
    (tx) =>
      tx
        .deleteFrom('job')
        .where('id', 'in', (query) =>
          query
            .selectFrom('job')
            .select('id')
            .where('state', '=', of.state)
            .where('priority', '=', of.priority)
            // Nothing ends before it was due, and this much the index knows. (A job that was
            // cancelled long before its time stays until then.)
            .where('run_at', '<', of.before)
            .where('finished_at', '<', of.before)
            .orderBy('run_at')
            .limit(of.limit),
        )
        .executeTakeFirst(),
    { durable: false },
  )
  return Number(numDeletedRows)
}

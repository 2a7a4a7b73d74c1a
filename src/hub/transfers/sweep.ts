import { z } from 'zod'
import { defineJob, type Job } from '../../jobs/job.ts'
import type { Clock } from '../../lib/clock.ts'
import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type { Db } from '../../store/db/database.ts'
import { errorColumns } from './run-columns.ts'

const KEEP_MS = 90 * 24 * 60 * 60_000
const BATCH = 500
const payload = z.object({})

/**
 * Forgets transfers that ended long ago, and ends those whose job was ended by somebody else: by
 * an administrator, in the list of jobs.
 */
export function createTransferSweep({ db, clock }: { db: Db; clock: Clock }): Job<typeof payload> {
  return defineJob({
    name: 'transfers.sweep',
    schema: payload,
    async run(_, { progress, heartbeat }) {
      const ended = await endOrphans(db, clock())
      let removed = 0
      for (let count = BATCH; count === BATCH; ) {
        count = await removeOld(db, clock() - KEEP_MS)
        removed += count
        progress({ ended, removed })
        await heartbeat()
      }
    },
  })
}

async function endOrphans(db: Db, now: number): Promise<number> {
  const result = await db.transaction((tx) =>
    tx
      .updateTable('transfer')
      .set({ state: 'failed', run: null, speed: 0, finished_at: now, updated_at: now })
      .set(
        errorColumns(
          new AppError(
            'unavailable',
            'its job was ended by an administrator',
            because('transfer_job_ended', {}),
          ),
        ),
      )
      .where('finished_at', 'is', null)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('job')
              .select('job.id')
              .whereRef('job.id', '=', 'transfer.job')
              .where('job.state', 'in', ['queued', 'running']),
          ),
        ),
      )
      .executeTakeFirst(),
  )
  return Number(result.numUpdatedRows)
}

async function removeOld(db: Db, before: number): Promise<number> {
  const result = await db.transaction((tx) =>
    tx
      .deleteFrom('transfer')
      .where('id', 'in', (query) =>
        query
          .selectFrom('transfer')
          .select('id')
          .where('finished_at', '<', before)
          .orderBy('finished_at')
          .limit(BATCH),
      )
      .executeTakeFirst(),
  )
  return Number(result.numDeletedRows)
}

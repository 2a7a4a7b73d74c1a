import { z } from 'zod'
import { defineJob, type Job } from '../../jobs/job.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Db } from '../../store/db/database.ts'

/** Forgets tasks that nobody waits for, and enrolment tokens that are good no more. */
export function createRunnerSweep({ db, clock }: { db: Db; clock: Clock }): Job {
  return defineJob({
    name: 'runners.sweep',
    schema: z.object({}),
    async run() {
      await db.transaction(async (tx) => {
        const now = clock()
        await tx.deleteFrom('runner_task').where('wanted_until', '<', now).execute()
        await tx.deleteFrom('runner_enrolment').where('expires_at', '<', now).execute()
      })
    },
  })
}

import { createScheduler } from '../jobs/scheduler.ts'
import { createJobWorker } from '../jobs/worker.ts'
import { systemClock } from '../lib/clock.ts'
import type { ProcessContext, RunningProcess } from '../lib/process.ts'
import { createBackground } from './background.ts'
import { startJournal } from './journal-work.ts'
import { buildParts, databaseAnswers } from './parts.ts'

/** The process that does the work in the background. */
export async function startJobs(context: ProcessContext): Promise<RunningProcess> {
  const { config, log, metrics } = context
  const parts = await buildParts(context, 'jobs')
  const { db, queue } = parts
  const clock = systemClock
  const { jobs, longJobs, schedules } = createBackground(parts, context)
  const worker = createJobWorker({ db, queue, jobs, log, metrics, clock })
  const longWorker = createJobWorker({
    db,
    queue,
    jobs: longJobs,
    log,
    metrics,
    clock,
    concurrency: config.transfers.atOnce,
    leaseMs: config.transfers.lease,
    // Somebody waits for it in a terminal.
    pollMs: 250,
  })
  const scheduler = createScheduler({ db, queue, log, clock, schedules })
  worker.start()
  longWorker.start()
  await scheduler.start()
  const journal = startJournal(parts, context)
  return {
    ready: () => databaseAnswers(db),
    wake: queue.changedElsewhere,
    async stop() {
      await scheduler.stop()
      await Promise.all([worker.stop(), longWorker.stop()])
      await journal.stop()
      await parts.activity.stop()
      await db.close()
    },
  }
}

import { createAccountsJob } from '../accounts/jobs.ts'
import { createHistoryJob } from '../jobs/history.ts'
import type { Job } from '../jobs/job.ts'
import type { Schedule } from '../jobs/scheduler.ts'
import { systemClock } from '../lib/clock.ts'
import type { ProcessContext } from '../lib/process.ts'
import { createRegistryJobs } from '../registry/jobs.ts'
import type { Parts } from './parts.ts'

/** Every kind of work in the background, and when it begins by itself. */
export function createBackground(
  { db, store, accounts, registry }: Parts,
  { config }: ProcessContext,
): { jobs: Job[]; schedules: Schedule[] } {
  const clock = systemClock
  const ofRegistry = createRegistryJobs({
    db,
    store,
    clock,
    uploads: registry.uploads,
    uploadsExpireAfter: config.uploads.expireAfter,
  })
  const history = createHistoryJob({ db, clock })
  const sweepAccounts = createAccountsJob(accounts)
  return {
    jobs: [...ofRegistry.jobs, history, sweepAccounts],
    schedules: [
      ...ofRegistry.schedules,
      { name: history.name, type: history, payload: {}, cron: '43 3 * * *' },
      { name: sweepAccounts.name, type: sweepAccounts, payload: {}, cron: '29 * * * *' },
    ],
  }
}

import { createAccountsJob } from '../accounts/jobs.ts'
import { createHealthJobs } from '../hub/health/jobs.ts'
import { createInventorySchedules } from '../hub/inventory/schedules.ts'
import { createRunnerSweep } from '../hub/runners/jobs.ts'
import { createTransferSweep } from '../hub/transfers/sweep.ts'
import { createHistoryJob } from '../jobs/history.ts'
import type { Job } from '../jobs/job.ts'
import type { Schedule } from '../jobs/scheduler.ts'
import { systemClock } from '../lib/clock.ts'
import type { ProcessContext } from '../lib/process.ts'
import { createRegistryJobs } from '../registry/jobs.ts'
import { createHubAccess } from './hub-access.ts'
import { createInventoryWork } from './inventory-work.ts'
import type { Parts } from './parts.ts'
import { createTransferWork } from './transfer-work.ts'

/** Every kind of work in the background, and when it begins by itself. */
export function createBackground(
  parts: Parts,
  context: ProcessContext,
): {
  jobs: Job[]
  /** What may take hours, and has workers of its own so that the rest does not wait for it. */
  longJobs: Job[]
  schedules: Schedule[]
} {
  const { db, store, journal, accounts, registry, queue } = parts
  const { config } = context
  const clock = systemClock
  const ofRegistry = createRegistryJobs({
    db,
    store,
    journal,
    clock,
    uploads: registry.uploads,
    uploadsExpireAfter: config.uploads.expireAfter,
  })
  const history = createHistoryJob({ db, clock })
  const sweepAccounts = createAccountsJob(accounts)
  const hub = createHubAccess(parts, context)
  const health = createHealthJobs({
    db,
    queue,
    clock,
    check: async (id, signal) => (await hub()).checks.check(id, signal),
  })
  const inventory = createInventorySchedules({ db, queue, clock })
  const sweepTransfers = createTransferSweep({ db, clock })
  const sweepRunners = createRunnerSweep({ db, clock })
  return {
    jobs: [
      ...ofRegistry.jobs,
      history,
      sweepAccounts,
      sweepTransfers,
      sweepRunners,
      ...health.jobs,
      ...inventory.jobs,
    ],
    longJobs: [
      createTransferWork(parts, context, clock, hub),
      createInventoryWork(parts, context, queue, hub),
    ],
    schedules: [
      ...ofRegistry.schedules,
      ...health.schedules,
      ...inventory.schedules,
      { name: history.name, type: history, payload: {}, cron: '43 3 * * *' },
      { name: sweepTransfers.name, type: sweepTransfers, payload: {}, cron: '37 * * * *' },
      { name: sweepRunners.name, type: sweepRunners, payload: {}, cron: '*/10 * * * *' },
      { name: sweepAccounts.name, type: sweepAccounts, payload: {}, cron: '29 * * * *' },
    ],
  }
}

import { syncJobType } from '../hub/inventory/request-sync.ts'
import { defineJob, type Job } from '../jobs/job.ts'
import type { JobQueue } from '../jobs/queue.ts'
import { systemClock } from '../lib/clock.ts'
import type { ProcessContext } from '../lib/process.ts'
import type { HubAccess } from './hub-access.ts'
import type { Parts } from './parts.ts'

/** The job that reads the images of other registries; its code is loaded with the first one. */
export function createInventoryWork(
  { db, registries }: Parts,
  { log }: Pick<ProcessContext, 'log'>,
  queue: JobQueue,
  hub: () => Promise<HubAccess>,
): Job {
  let loaded: Promise<Job<typeof syncJobType.schema>> | undefined

  async function load() {
    const [{ createSyncJob }, { connections, byRunner }] = await Promise.all([
      import('../hub/inventory/sync-job.ts'),
      hub(),
    ])
    const connect: Parameters<typeof createSyncJob>[0]['connect'] = (to) => connections.with(to)
    return createSyncJob({
      db,
      clock: systemClock,
      log,
      queue,
      registries,
      connect,
      byRunner: byRunner.read,
    })
  }

  return defineJob({
    ...syncJobType,
    async run(payload, context) {
      loaded ??= load()
      await (await loaded).run(payload, context)
    },
  })
}

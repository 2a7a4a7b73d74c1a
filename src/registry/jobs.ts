import { z } from 'zod'
import { defineJob, type Job } from '../jobs/job.ts'
import type { Schedule } from '../jobs/scheduler.ts'
import type { Clock } from '../lib/clock.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import type { Db } from '../store/db/database.ts'
import type { JournalStore } from '../store/journal/journal-store.ts'
import { foreignLineages } from './journal/lineages.ts'
import { sweepOrphans } from './orphans.ts'
import type { Uploads } from './uploads.ts'
import { foldUsage } from './usage.ts'
import { sampleUsage } from './usage-days.ts'

const nothing = z.object({})

export interface RegistryJobsDeps {
  db: Db
  store: BlobStore
  journal: JournalStore
  clock: Clock
  uploads: Uploads
  /** Milliseconds without activity after which an upload is forgotten. */
  uploadsExpireAfter: number
}

/** The registry's work in the background, and when it is due. */
export function createRegistryJobs(deps: RegistryJobsDeps): { jobs: Job[]; schedules: Schedule[] } {
  const { db, store, journal, clock, uploads, uploadsExpireAfter } = deps

  const sweepUploads = defineJob({
    name: 'uploads.sweep',
    schema: nothing,
    async run(_, { progress, signal }) {
      const removed = await uploads.sweep(clock() - uploadsExpireAfter, signal)
      // What another database knows of is no leftover: see `foreignLineages`.
      const isOurs = (await foreignLineages(db, journal)).length === 0
      const orphans = isOurs ? await sweepOrphans({ db, store, clock }, signal) : 0
      progress({ removed, orphans })
    },
  })

  const fold = defineJob({
    name: 'usage.fold',
    schema: nothing,
    async run(_, { progress, heartbeat }) {
      for (let total = 0; ; ) {
        const folded = await foldUsage(db)
        total += folded
        progress({ folded: total })
        if (folded === 0) break
        await heartbeat()
      }
    },
  })

  const sample = defineJob({
    name: 'usage.sample',
    schema: nothing,
    run: () => sampleUsage(db, clock()),
  })

  return {
    jobs: [sweepUploads, fold, sample],
    schedules: [
      { name: sweepUploads.name, type: sweepUploads, payload: {}, cron: '17 * * * *' },
      { name: fold.name, type: fold, payload: {}, cron: '*/20 * * * * *' },
      { name: sample.name, type: sample, payload: {}, cron: '7 * * * *' },
    ],
  }
}

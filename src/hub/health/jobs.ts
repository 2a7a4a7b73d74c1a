import { z } from 'zod'
import { defineJob, type Job } from '../../jobs/job.ts'
import type { JobQueue } from '../../jobs/queue.ts'
import type { Schedule } from '../../jobs/scheduler.ts'
import type { Clock } from '../../lib/clock.ts'
import { isAppError } from '../../lib/errors.ts'
import type { Db } from '../../store/db/database.ts'
import { REGISTRY_CHECK } from '../registries/request-check.ts'
import type { Checks } from './checks.ts'

const HOUR_MS = 3_600_000
/** Of the hour: all that were added together shall not be tested together for ever. */
const JITTER = 0.15
const MOST_AT_ONCE = 200

/** Tests of connections: after each change, and every hour. */
export function createHealthJobs({
  db,
  queue,
  clock,
  check,
  random = Math.random,
}: {
  db: Db
  queue: JobQueue
  clock: Clock
  /** As `Checks.check`. */
  check: Checks['check']
  random?: () => number
}): { jobs: Job[]; schedules: Schedule[] } {
  const one = defineJob({
    ...REGISTRY_CHECK,
    // The next hour brings another one.
    retry: { attempts: 2 },
    async run({ registry }, { signal }) {
      try {
        await check(registry, signal)
      } catch (error) {
        if (!isAppError(error, 'not_found')) throw error
      }
    },
  })

  const sweep = defineJob({
    name: 'registry.check-due',
    schema: z.object({}),
    async run() {
      const before = Math.round(clock() - HOUR_MS * (1 - JITTER * random()))
      const due = await db.query
        .selectFrom('registry')
        .select('id')
        .where((eb) => eb.or([eb('checked_at', 'is', null), eb('checked_at', '<', before)]))
        .orderBy('checked_at')
        .limit(MOST_AT_ONCE)
        .execute()
      await db.transaction(async (tx) => {
        for (const { id } of due) {
          const uniqueKey = `registry.check:${id}`
          const runAt = Math.round(clock() + random() * 60_000)
          await queue.enqueue(tx, REGISTRY_CHECK, { registry: id }, { uniqueKey, runAt })
        }
      })
    },
  })

  return {
    jobs: [one, sweep],
    schedules: [{ name: sweep.name, type: sweep, payload: {}, cron: '*/5 * * * *' }],
  }
}

import { Cron } from 'croner'
import { z } from 'zod'
import { defineJob, type Job } from '../../jobs/job.ts'
import type { JobQueue } from '../../jobs/queue.ts'
import type { Schedule } from '../../jobs/scheduler.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Db } from '../../store/db/database.ts'
import { keepRegistry } from './repository-rows.ts'
import { newTask, requestSync } from './request-sync.ts'

const KEEP_MS = 90 * 24 * 60 * 60_000
const payload = z.object({})

/** What begins the reading of images by itself: every day, and by the times of a registry. */
export function createInventorySchedules({
  db,
  queue,
  clock,
}: {
  db: Db
  queue: JobQueue
  clock: Clock
}): { jobs: Job[]; schedules: Schedule[] } {
  const daily = defineJob({
    name: 'inventory.daily',
    schema: payload,
    async run() {
      await forgetOld(db, clock() - KEEP_MS)
      const registries = await db.query.selectFrom('registry').select('id').orderBy('seq').execute()
      const task = newTask()
      for (const { id } of registries) await request(id, 'daily', task)
    },
  })

  const due = defineJob({
    name: 'inventory.due',
    schema: payload,
    async run() {
      await endOrphans(db, clock())
      const registries = await db.query
        .selectFrom('registry')
        .select(['id', 'sync_cron', 'sync_time_zone', 'created_at'])
        .select((eb) =>
          eb
            .selectFrom('image_sync')
            .select((sync) => sync.fn.max('image_sync.created_at').as('last'))
            .whereRef('image_sync.registry', '=', 'registry.id')
            .as('last'),
        )
        .where('sync_cron', 'is not', null)
        .execute()
      for (const { id, sync_cron, sync_time_zone, created_at, last } of registries) {
        const next = nextAfter(sync_cron ?? '', sync_time_zone, Number(last ?? created_at))
        if (next !== undefined && next <= clock()) await request(id, 'cron')
      }
    },
  })

  async function request(registry: string, trigger: 'daily' | 'cron', task = newTask()) {
    await db.transaction(async (tx) => {
      if (!(await keepRegistry(db, tx, registry))) return
      await requestSync(queue, tx, { registry, trigger, task, now: clock() })
    })
  }

  return {
    jobs: [daily, due],
    schedules: [
      { name: daily.name, type: daily, payload: {}, cron: '0 1 * * *' },
      { name: due.name, type: due, payload: {}, cron: '* * * * *' },
    ],
  }
}

/** A time that cannot be kept is none: it was checked when it was set. */
function nextAfter(cron: string, timezone: string, at: number): number | undefined {
  try {
    return new Cron(cron, { timezone }).nextRun(new Date(at))?.getTime()
  } catch {
    return undefined
  }
}

/** Those whose job was ended by somebody else, or failed too often. */
async function endOrphans(db: Db, now: number): Promise<void> {
  await db.transaction((tx) =>
    tx
      .updateTable('image_sync')
      .set({ state: 'failed', run: null, finished_at: now, error_code: 'SERVER_ERROR' })
      .set({ error: 'its job was ended, by an administrator or after too many failures' })
      .where('finished_at', 'is', null)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('job')
              .select('job.id')
              .whereRef('job.id', '=', 'image_sync.job')
              .where('job.state', 'in', ['queued', 'running']),
          ),
        ),
      )
      .execute(),
  )
}

async function forgetOld(db: Db, before: number): Promise<void> {
  await db.transaction((tx) =>
    tx.deleteFrom('image_sync').where('finished_at', '<', before).execute(),
  )
}

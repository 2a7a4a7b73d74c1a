import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { silentLog } from '../lib/log.ts'
import type { Db } from '../store/db/database.ts'
import { createMigrated, type TestDatabase } from '../store/db/test-databases.ts'
import { createJobQueue, type JobQueue } from './queue.ts'
import { createScheduler, type Schedule, type Scheduler } from './scheduler.ts'

const nightly: Schedule<z.ZodObject<{ depth: z.ZodNumber }>> = {
  name: 'nightly',
  type: { name: 'test.scan', schema: z.object({ depth: z.number() }) },
  payload: { depth: 3 },
  cron: '30 2 * * *',
  timeZone: 'Asia/Shanghai',
}

export function schedulerContract(create: () => Promise<TestDatabase>) {
  let database: TestDatabase
  let db: Db
  let queue: JobQueue
  let now: number

  beforeEach(async () => {
    const migrated = await createMigrated(create)
    database = migrated.test
    db = migrated.db
    queue = createJobQueue({ db, clock: () => now })
    now = Date.parse('2026-03-01T12:00:00Z')
  })

  afterEach(() => database.remove())

  const schedulerOf = (schedule: Schedule, own = db): Scheduler =>
    createScheduler({ db: own, queue, schedules: [schedule], log: silentLog, clock: () => now })

  const nextAt = async () => {
    const row = await db.query.selectFrom('job_schedule').select('next_at').executeTakeFirst()
    return new Date(row?.next_at ?? Number.NaN).toISOString()
  }

  const finishAll = () => db.query.updateTable('job').set({ state: 'done' }).execute()

  describe('schedules', () => {
    test('fire at their time in their time zone', async () => {
      const scheduler = schedulerOf(nightly)
      await scheduler.register()
      expect(await nextAt()).toBe('2026-03-01T18:30:00.000Z')
      now = Date.parse('2026-03-01T18:29:59Z')
      await scheduler.tick()
      expect((await queue.list()).items).toEqual([])
      now += 1000
      await scheduler.tick()
      await scheduler.tick()
      expect((await queue.list()).items).toMatchObject([
        { name: 'test.scan', payload: { depth: 3 }, runAt: now },
      ])
      expect(await nextAt()).toBe('2026-03-02T18:30:00.000Z')
    })

    test('fire once when several processes look at the same moment', async () => {
      const others = [db, database.open(), database.open()].map((own) => schedulerOf(nightly, own))
      await Promise.all(others.map((scheduler) => scheduler.register()))
      for (let day = 1; day <= 3; day++) {
        now += 24 * 60 * 60_000
        await Promise.all(others.map((scheduler) => scheduler.tick()))
        await finishAll()
        expect((await queue.list()).items).toHaveLength(day)
      }
    })

    test('that were missed fire once', async () => {
      const scheduler = schedulerOf(nightly)
      await scheduler.register()
      now = Date.parse('2026-03-09T12:00:00Z')
      await scheduler.tick()
      await finishAll()
      await scheduler.tick()
      expect((await queue.list()).items).toHaveLength(1)
      expect(await nextAt()).toBe('2026-03-09T18:30:00.000Z')
    })

    test('are not added to a run that is still waiting or running', async () => {
      const scheduler = schedulerOf(nightly)
      await scheduler.register()
      for (let day = 0; day < 3; day++) {
        now += 24 * 60 * 60_000
        await scheduler.tick()
      }
      expect((await queue.list()).items).toHaveLength(1)
    })

    test('keep their time over a restart, and begin anew when they were changed', async () => {
      await schedulerOf(nightly).register()
      now = Date.parse('2026-03-05T00:00:00Z')
      await schedulerOf(nightly).register()
      expect(await nextAt()).toBe('2026-03-01T18:30:00.000Z')
      await schedulerOf({ ...nightly, timeZone: 'UTC' }).register()
      expect(await nextAt()).toBe('2026-03-05T02:30:00.000Z')
    })

    test('in an hour that comes twice fire once', async () => {
      const scheduler = schedulerOf({ ...nightly, timeZone: 'Europe/Berlin' })
      now = Date.parse('2026-10-24T12:00:00Z')
      await scheduler.register()
      const end = Date.parse('2026-10-25T12:00:00Z')
      for (; now < end; now += 10 * 60_000) {
        await scheduler.tick()
        await finishAll()
      }
      expect((await queue.list()).items).toHaveLength(1)
    })

    test('that cannot be kept are refused by name', async () => {
      const wrong = { ...nightly, cron: 'every day' }
      await expect(schedulerOf(wrong).register()).rejects.toThrow('the schedule of "nightly"')
      const nowhere = { ...nightly, timeZone: 'Mars/Olympus' }
      await expect(schedulerOf(nowhere).register()).rejects.toThrow('Mars/Olympus')
      const never = { ...nightly, cron: '0 0 30 2 *' }
      await expect(schedulerOf(never).register()).rejects.toThrow('cannot be kept')
    })

    test('tick by themselves between start and stop', async () => {
      const scheduler = createScheduler({
        db,
        queue,
        schedules: [nightly],
        log: silentLog,
        clock: () => now,
        pollMs: 5,
      })
      await scheduler.start()
      now += 24 * 60 * 60_000
      const count = async () => (await queue.list()).items.length
      for (let i = 0; i < 400 && (await count()) === 0; i++) await Bun.sleep(5)
      expect(await count()).toBe(1)
      await scheduler.stop()
      await finishAll()
      now += 24 * 60 * 60_000
      await Bun.sleep(30)
      expect(await count()).toBe(1)
    })
  })
}

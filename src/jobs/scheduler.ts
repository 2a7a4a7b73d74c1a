import { Cron } from 'croner'
import type { z } from 'zod'
import { type Clock, systemClock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import type { Db } from '../store/db/database.ts'
import type { JobType } from './job.ts'
import type { JobQueue } from './queue.ts'

/** A job that is enqueued again and again. */
export interface Schedule<S extends z.ZodType = z.ZodType> {
  /** Of the row that all processes share; the job's name where a job has one schedule. */
  name: string
  type: JobType<S>
  payload: z.input<S>
  /** Five fields, or six with seconds first. */
  cron: string
  /** IANA, such as `Asia/Shanghai`; `UTC` unless set. */
  timeZone?: string
}

export interface SchedulerDeps {
  db: Db
  queue: JobQueue
  schedules: readonly Schedule[]
  log: Log
  clock?: Clock
  /** How often the clock is looked at; 1 s unless set. */
  pollMs?: number
}

export interface Scheduler {
  /** Writes the schedules down; those whose times were changed begin anew. */
  register(): Promise<void>
  /** Enqueues what is due. A time that passed while no process ran fires once, not for each miss. */
  tick(): Promise<void>
  /** Registers, and ticks until `stop`. */
  start(): Promise<void>
  stop(): Promise<void>
}

/**
 * Fires schedules. Any number of processes may do so on one database: whoever moves the row's time
 * forward enqueues the job in the same transaction, so that each time fires once.
 */
export function createScheduler(deps: SchedulerDeps): Scheduler {
  const { db, queue, log, clock = systemClock, pollMs = 1_000 } = deps
  const schedules = new Map(deps.schedules.map((schedule) => [schedule.name, schedule]))
  let timer: Timer | undefined
  let ticking = Promise.resolve()

  async function register(): Promise<void> {
    for (const schedule of schedules.values()) {
      const { name, cron, timeZone = 'UTC' } = schedule
      const times = { cron, time_zone: timeZone, next_at: nextTime(schedule, clock()) }
      await db.transaction(async (tx) => {
        await tx
          .insertInto('job_schedule')
          .values({ name, ...times })
          .onConflict((conflict) => conflict.column('name').doNothing())
          .execute()
        await tx
          .updateTable('job_schedule')
          .set(times)
          .where('name', '=', name)
          .where((eb) => eb.or([eb('cron', '!=', cron), eb('time_zone', '!=', timeZone)]))
          .execute()
      })
    }
  }

  async function tick(): Promise<void> {
    const now = clock()
    const due = await db.query
      .selectFrom('job_schedule')
      .select(['name', 'next_at'])
      .where('next_at', '<=', now)
      .execute()
    for (const { name, next_at } of due) {
      const schedule = schedules.get(name)
      if (schedule) await fire(schedule, next_at, now)
    }
  }

  async function fire(schedule: Schedule, at: number, now: number): Promise<void> {
    await db.transaction(async (tx) => {
      const { numUpdatedRows } = await tx
        .updateTable('job_schedule')
        .set({ next_at: nextTime(schedule, now) })
        .where('name', '=', schedule.name)
        .where('next_at', '=', at)
        .executeTakeFirst()
      if (numUpdatedRows === 0n) return
      // A run that takes longer than the interval is not followed by a crowd.
      const uniqueKey = `schedule:${schedule.name}`
      await queue.enqueue(tx, schedule.type, schedule.payload, { uniqueKey })
    })
  }

  const tickSafely = () =>
    tick().catch((error: unknown) => log.error('schedules not looked at', { error }))

  return {
    register,
    tick,
    async start() {
      await register()
      const next = () => {
        ticking = tickSafely().then(() => {
          if (timer) timer = setTimeout(next, pollMs)
        })
      }
      timer = setTimeout(next, 0)
    },
    async stop() {
      clearTimeout(timer)
      timer = undefined
      await ticking
    },
  }
}

/** The first time of a schedule after `now`, epoch milliseconds. */
function nextTime({ name, cron, timeZone = 'UTC' }: Schedule, now: number): number {
  try {
    const next = new Cron(cron, { timezone: timeZone }).nextRun(new Date(now))
    if (next) return next.getTime()
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error))
  }
  throw wrong('it has no time in the future')

  function wrong(why: string): AppError {
    return new AppError(
      'invalid_input',
      `the schedule of "${name}" ("${cron}", ${timeZone}) cannot be kept: ${why}`,
    )
  }
}

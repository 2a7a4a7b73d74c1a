import type { Expression, SqlBool } from 'kysely'
import type { z } from 'zod'
import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import type { Says } from '../lib/reasons.ts'
import { saysOf } from '../lib/stored-says.ts'
import type { Db, Tx } from '../store/db/database.ts'
import type { Row } from '../store/db/schema.ts'
import { DEFAULT_RETRY, type JobType } from './job.ts'

export type JobState = Row<'job'>['state']

/**
 * Few levels instead of any number: a claim looks at each of them by index, and so never walks
 * over jobs of a high priority that are not due yet.
 */
export const PRIORITIES = { high: 10, normal: 0, low: -10 } as const

export type Priority = keyof typeof PRIORITIES

export interface EnqueueOptions {
  priority?: Priority
  /** Not before this time, epoch milliseconds. */
  runAt?: number
  /**
   * At most one queued or running job has this key. A job that runs already may have passed the
   * point where it would see what is enqueued now; where that matters, use no key.
   */
  uniqueKey?: string
}

/** A job as lists show it. */
export interface JobView {
  id: number
  name: string
  state: JobState
  priority: Priority
  payload: unknown
  progress: unknown
  /** Of the last run that failed. */
  error: string | null
  /** The same for the console, where it has words for it. */
  errorSays?: Says | undefined
  attempts: number
  maxAttempts: number
  cancelRequested: boolean
  /** Epoch milliseconds, like the others. */
  runAt: number
  createdAt: number
  startedAt: number | null
  finishedAt: number | null
}

export interface JobFilter {
  name?: string
  states?: readonly JobState[]
  /** Only these. */
  ids?: readonly number[]
  /** Only jobs with a smaller id: the `next` of the page before. */
  before?: number
  /** 1 to 1000; 50 unless set. */
  limit?: number
}

export interface JobPage {
  /** Newest first. */
  items: JobView[]
  next: number | undefined
}

export interface JobQueue {
  /**
   * Adds a job in the transaction that causes it; with the transaction it comes and goes. Returns
   * its id, or undefined when there is a job with the same `uniqueKey` already.
   */
  enqueue<S extends z.ZodType>(
    tx: Tx,
    type: JobType<S>,
    payload: z.input<S>,
    options?: EnqueueOptions,
  ): Promise<number | undefined>
  /** Ends a queued job, asks a running one to end. False: there is nothing to cancel. */
  cancel(tx: Tx, id: number): Promise<boolean>
  /** Queues a failed or cancelled job again, with all its attempts. False: it is neither. */
  retry(tx: Tx, id: number): Promise<boolean>
  find(id: number): Promise<JobView | undefined>
  list(filter?: JobFilter): Promise<JobPage>
  /**
   * Calls `listener` whenever this process has changed the queue, which becomes visible only with
   * the commit, moments later. Returns a function that ends it.
   */
  onChange(listener: () => void): () => void
  /** Another process says that it has changed the queue. */
  changedElsewhere(): void
}

export interface JobQueueDeps {
  db: Db
  clock: Clock
}

/** The durable queue: rows of the table `job`. Runs nothing itself; see `createJobWorker`. */
export function createJobQueue({ db, clock }: JobQueueDeps): JobQueue {
  const listeners = new Set<() => void>()
  const changed = () => {
    for (const listener of listeners) listener()
  }

  async function lock(tx: Tx, id: number) {
    const row = tx.selectFrom('job').select(['state', 'unique_key']).where('id', '=', id)
    return (await db.engine.lockRows(row, 'update').executeTakeFirst())?.state
  }

  return {
    async enqueue(tx, type, payload, options = {}) {
      type.schema.parse(payload)
      const now = clock()
      const row = await tx
        .insertInto('job')
        .values({
          name: type.name,
          payload: JSON.stringify(payload ?? null),
          priority: PRIORITIES[options.priority ?? 'normal'],
          run_at: options.runAt ?? now,
          max_attempts: type.retry?.attempts ?? DEFAULT_RETRY.attempts,
          unique_key: options.uniqueKey ?? null,
          created_at: now,
          updated_at: now,
        })
        .onConflict((conflict) => conflict.doNothing())
        .returning('id')
        .executeTakeFirst()
      if (row) changed()
      return row?.id
    },

    async cancel(tx, id) {
      const state = await lock(tx, id)
      if (state !== 'queued' && state !== 'running') return false
      await tx
        .updateTable('job')
        .set(
          state === 'queued'
            ? { state: 'cancelled', finished_at: clock() }
            : { cancel_requested: 1 },
        )
        .set({ updated_at: clock() })
        .where('id', '=', id)
        .execute()
      changed()
      return true
    },

    async retry(tx, id) {
      const state = await lock(tx, id)
      if (state !== 'failed' && state !== 'cancelled') return false
      try {
        await tx
          .updateTable('job')
          .set({ state: 'queued', run_at: clock(), attempts: 0, cancel_requested: 0 })
          .set({ started_at: null, finished_at: null, updated_at: clock() })
          .where('id', '=', id)
          .execute()
      } catch (error) {
        if (!db.engine.isUniqueViolation(error)) throw error
        throw new AppError('conflict', 'the same job is already waiting or running', {}, error)
      }
      changed()
      return true
    },

    async find(id) {
      const row = await db.query
        .selectFrom('job')
        .selectAll()
        .where('id', '=', id)
        .executeTakeFirst()
      return row && viewOf(row)
    },

    async list({ name, states, ids, before, limit: asked = 50 } = {}) {
      const limit = Math.min(Math.max(asked, 1), 1000)
      const rows = await db.query
        .selectFrom('job')
        .selectAll()
        .where((eb) => {
          const all: Expression<SqlBool>[] = []
          if (name !== undefined) all.push(eb('name', '=', name))
          if (states) all.push(eb('state', 'in', [...states]))
          if (ids) all.push(eb('id', 'in', [...ids]))
          if (before !== undefined) all.push(eb('id', '<', before))
          return eb.and(all)
        })
        .orderBy('id', 'desc')
        .limit(limit + 1)
        .execute()
      const items = rows.slice(0, limit).map(viewOf)
      return { items, next: rows.length > limit ? items.at(-1)?.id : undefined }
    },

    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },

    changedElsewhere: changed,
  }
}

function viewOf(row: Row<'job'>): JobView {
  return {
    id: row.id,
    name: row.name,
    state: row.state,
    priority:
      row.priority === PRIORITIES.high
        ? 'high'
        : row.priority === PRIORITIES.low
          ? 'low'
          : 'normal',
    payload: JSON.parse(row.payload),
    progress: row.progress === null ? null : JSON.parse(row.progress),
    error: row.error,
    errorSays: saysOf(row.error, row.error_says),
    attempts: row.attempts,
    maxAttempts: row.max_attempts,
    cancelRequested: row.cancel_requested === 1,
    runAt: row.run_at,
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  }
}

import { ZodError } from 'zod'
import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import type { Db } from '../store/db/database.ts'
import { type Job, Postponed, retryDelay } from './job.ts'
import { type ClaimedRow, finish, type Lease, type Outcome, renew } from './leases.ts'

const ERROR_LENGTH = 4000

/** Why a run is told to end. */
export type AbortCause = 'cancelled' | 'lost' | 'shutdown'

const CAUSES: Record<AbortCause, string> = {
  cancelled: 'the job was cancelled',
  lost: 'the job was given to somebody else, as this process did not renew its lease',
  shutdown: 'the server shuts down',
}

/** A run in this process. */
export interface Run {
  lease: Lease
  /** Until when the job is ours unless it is renewed, epoch milliseconds. */
  leaseUntil: number
  /** Resolves when the run has ended and its outcome is written, or discarded. Never rejects. */
  ended: Promise<void>
  abort(cause: AbortCause): void
  /** True when there is progress that is not written yet. */
  hasNews(): boolean
  /** Writes progress and a new lease; aborts the run when the lease is lost. */
  renew(): Promise<void>
}

export interface RunDeps {
  db: Db
  clock: Clock
  log: Log
  leaseMs: number
  /** Counts each run with its time. */
  metrics?: Pick<Metrics, 'job'> | undefined
}

/** Starts the run of a row that was just claimed. */
export function startRun(deps: RunDeps, job: Job, row: ClaimedRow): Run {
  const { db, clock, leaseMs } = deps
  const log = deps.log.child({ job: row.name, jobId: row.id, attempt: row.attempts })
  const lease: Lease = { id: row.id, owner: row.lease_owner ?? '', attempt: row.attempts }
  const controller = new AbortController()
  let cause: AbortCause | undefined
  let progress: string | undefined

  const run: Run = {
    lease,
    leaseUntil: row.lease_until ?? 0,
    ended: Promise.resolve(),
    abort(why) {
      // A lost lease outweighs the rest: nothing may be written any more.
      if (cause === undefined || why === 'lost') cause = why
      if (!controller.signal.aborted) {
        controller.abort(new AppError('unavailable', CAUSES[why]))
      }
    },
    hasNews: () => progress !== undefined,
    async renew() {
      const now = clock()
      const until = now + leaseMs
      const written = progress
      const news = written === undefined ? undefined : { text: written, now }
      const ours = await db.transaction((tx) => renew(tx, lease, until, news), {
        durable: false,
      })
      if (!ours) return run.abort('lost')
      if (written === progress) progress = undefined
      run.leaseUntil = until
    },
  }

  async function execute(): Promise<Outcome> {
    const payload = readPayload(job, row)
    if ('error' in payload) return { state: 'failed', error: payload.error }
    try {
      await job.run(payload.value, {
        id: row.id,
        attempt: row.attempts,
        lastProgress: row.progress === null ? undefined : JSON.parse(row.progress),
        signal: controller.signal,
        progress(value) {
          progress = JSON.stringify(value ?? null)
        },
        async heartbeat() {
          controller.signal.throwIfAborted()
          await run.renew()
          controller.signal.throwIfAborted()
        },
      })
      return { state: 'done' }
    } catch (error) {
      return outcomeOf(error)
    }
  }

  function outcomeOf(error: unknown): Outcome {
    const now = clock()
    if (cause === 'cancelled') return { state: 'cancelled' }
    // Written by nobody, as `settle` discards it.
    if (cause === 'lost') return { state: 'queued', runAt: now }
    if (cause === 'shutdown') return { state: 'queued', runAt: now, uncounted: true }
    const text = textOf(error)
    if (error instanceof Postponed) {
      log.info('job postponed', { reason: text, runAt: error.until })
      return { state: 'queued', runAt: error.until, uncounted: true }
    }
    const says = error instanceof AppError ? error.details.reason : undefined
    if (row.attempts >= row.max_attempts) return { state: 'failed', error: text, says }
    const runAt = now + retryDelay(job.retry ?? {}, row.attempts, error)
    log.warn('job failed and will run again', { error, runAt })
    return { state: 'queued', runAt, error: text, says }
  }

  /** Tries until the lease runs out; then the job belongs to the next run anyway. */
  async function settle(outcome: Outcome): Promise<void> {
    while (cause !== 'lost') {
      try {
        const end = { now: clock(), progress }
        if (await db.transaction((tx) => finish(tx, lease, outcome, end))) return
        break
      } catch (error) {
        log.error('outcome of a job not written', { error })
        if (clock() >= run.leaseUntil) break
        await Bun.sleep(200)
      }
    }
    log.warn('outcome of a job discarded as its lease is lost', { outcome: outcome.state })
  }

  run.ended = (async () => {
    const startedAt = performance.now()
    const outcome = await execute()
    const seconds = (performance.now() - startedAt) / 1000
    const counted = outcome.state === 'queued' ? 'retried' : outcome.state
    // Whoever has the job now counts it.
    if (cause !== 'lost') deps.metrics?.job(row.name, counted, seconds)
    if (outcome.state === 'failed') log.error('job failed', { reason: outcome.error })
    await settle(outcome)
  })()
  return run
}

function readPayload(job: Job, row: ClaimedRow): { value: unknown } | { error: string } {
  try {
    return { value: job.schema.parse(JSON.parse(row.payload)) }
  } catch (error) {
    const problems =
      error instanceof ZodError
        ? error.issues.map(({ path, message }) => `${path.join('.') || 'payload'}: ${message}`)
        : [textOf(error)]
    return { error: `the payload is not one of ${job.name}: ${problems.join('; ')}` }
  }
}

function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error)
  return text.slice(0, ERROR_LENGTH)
}

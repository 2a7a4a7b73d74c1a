import type { z } from 'zod'
import { isAppError } from '../lib/errors.ts'

/** When a run that failed is tried again. */
export interface RetryPolicy {
  /** Runs at most; 1: never again. */
  attempts: number
  /** Before the second run; doubled for each further one. */
  firstDelayMs: number
  maxDelayMs: number
}

export const DEFAULT_RETRY: RetryPolicy = {
  attempts: 5,
  firstDelayMs: 2_000,
  maxDelayMs: 10 * 60_000,
}

/** What one has to know of a job in order to enqueue it. */
export interface JobType<S extends z.ZodType = z.ZodType> {
  /** As in the database, in lists and in logs: `uploads.sweep`. */
  name: string
  /** The payload. It is stored and shown: it holds ids, never secrets. */
  schema: S
  retry?: Partial<RetryPolicy>
}

/**
 * A kind of work in the background, as data. A run may be cut off at any moment and another one
 * begin, in rare cases before the first has noticed: what it does must bear being done twice.
 */
export interface Job<S extends z.ZodType = z.ZodType> extends JobType<S> {
  run(payload: z.output<S>, context: JobContext): Promise<void>
}

export interface JobContext {
  /** The row's id. */
  id: number
  /** 1 for the first run. */
  attempt: number
  /** What the run before this one reported last, so that long work can go on there. */
  lastProgress: unknown
  /** Aborts on cancellation, a lost lease and shutdown; the reason is an `Error` that says which. */
  signal: AbortSignal
  /** Reports how far the run is, as JSON; written with the next heartbeat. */
  progress(value: unknown): void
  /**
   * Renews the lease now and writes the progress; throws the signal's reason when the run is no
   * longer wanted. Leases are renewed without it too: it is for work that must know before a step.
   */
  heartbeat(): Promise<void>
}

/**
 * Thrown by a run that has to go on later through no fault of its own, such as when another server
 * asked for a pause: it does not count among the attempts, and is no error in the log.
 */
export class Postponed extends Error {
  override readonly name = 'Postponed'
  /** Epoch milliseconds. */
  readonly until: number

  constructor(until: number, reason: string) {
    super(reason)
    this.until = Math.round(until)
  }
}

/** Gives a job the types of its own payload. */
export function defineJob<S extends z.ZodType>(job: Job<S>): Job<S> {
  return job
}

/** Milliseconds until the next run, after run number `attempt` failed with `error`. */
export function retryDelay(policy: Partial<RetryPolicy>, attempt: number, error: unknown): number {
  const { firstDelayMs, maxDelayMs } = { ...DEFAULT_RETRY, ...policy }
  const delay = Math.min(firstDelayMs * 2 ** (attempt - 1), maxDelayMs)
  // Half fixed, half random: what failed together does not come back together.
  const jittered = delay * (0.5 + Math.random() / 2)
  const asked = isAppError(error) ? (error.details.retryAfter ?? 0) * 1000 : 0
  return Math.round(Math.max(jittered, asked))
}

import type { Config } from '../lib/config.ts'
import type { ErrorCode } from '../lib/errors.ts'
import type { MetricsSnapshot } from '../lib/metrics.ts'

/*
 * What the supervisor and its processes say to each other over Bun's channel. A question and its
 * answer carry the same number.
 */

export type Role = 'worker' | 'jobs'

export interface Questions {
  /** Of the supervisor to a process. */
  prepare: { adminPassword?: string }
  start: { port?: number }
  stop: null
  ready: boolean
  snapshot: MetricsSnapshot
  /** Of a process to the supervisor. */
  allMetrics: string
  allReady: boolean
}

export type Subject = keyof Questions

/** With `settings`: the first message to a process, before any question. */
export type Message =
  | { kind: 'settings'; name: string; config: Config; pretty: boolean }
  | { kind: 'question'; id: number; subject: Subject; argument?: number }
  | { kind: 'answer'; id: number; value: Questions[Subject] }
  | { kind: 'failure'; id: number; message: string; code?: ErrorCode }

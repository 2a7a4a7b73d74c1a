import type { Config, LoadedConfig } from '../lib/config.ts'
import type { ErrorCode } from '../lib/errors.ts'
import type { MetricsSnapshot } from '../lib/metrics.ts'

/*
 * What the supervisor and its processes say to each other over Bun's channel. A question and its
 * answer carry the same number.
 */

/**
 * `prepare` reads the command line of `serve` and prepares the installation, then ends: what that
 * takes (the settings' schema, migrations, a password's hash) would stay in a process that lives.
 */
export type Role = 'prepare' | 'worker' | 'jobs'

export interface Questions {
  /** Of the supervisor to a process. */
  prepare: { adminPassword?: string; scheme: 'http' | 'https' }
  start: { port?: number }
  drain: null
  stop: null
  ready: boolean
  snapshot: MetricsSnapshot
  /** Of a process to the supervisor, which passes it on to the one that runs jobs. */
  wakeJobs: null
  /** Of a process to the supervisor. */
  allSnapshots: MetricsSnapshot[]
  allReady: boolean
}

export type Subject = keyof Questions

/** What the command line, the variables and the file say together. */
export type Found = Pick<LoadedConfig, 'config' | 'warnings'>

/**
 * With `found`: what `prepare` makes of the command line, the first message from it. With
 * `settings`: the first message to a process, before any question.
 */
export type Message =
  | ({ kind: 'found' } & Found)
  | { kind: 'settings'; name: string; config: Config; pretty: boolean }
  | { kind: 'question'; id: number; subject: Subject; argument?: number }
  | { kind: 'answer'; id: number; value: Questions[Subject] }
  | { kind: 'failure'; id: number; message: string; code?: ErrorCode }

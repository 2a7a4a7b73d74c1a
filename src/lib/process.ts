import type { Config } from './config.ts'
import type { Log } from './log.ts'
import type { Metrics, MetricsSnapshot } from './metrics.ts'

/** What every process of an installation starts with. */
export interface ProcessContext {
  config: Config
  log: Log
  metrics: Metrics
  /** `worker-1`, `worker-2`, …, `jobs`. */
  name: string
  /** Questions that only all processes together can answer. Absent where one runs alone. */
  supervisor?: SupervisorLink
}

interface SupervisorLink {
  /** The metrics of every process that answers. */
  snapshots(): Promise<MetricsSnapshot[]>
  /** True while every process of the installation is ready; false as soon as a stop began. */
  ready(): Promise<boolean>
  /** The queue of jobs was changed: whoever runs them looks at once instead of at its next look. */
  wakeJobs(): void
}

/** A started process, as its starter sees it. */
export interface RunningProcess {
  /** True when it can do its work now: the database answers, the store is writable. */
  ready(): Promise<boolean>
  /**
   * A stop is near: still serves, but ends connections with their next answer, so that clients go to
   * others that stay. Only who serves requests has it.
   */
  drain?(): void
  /**
   * Takes nothing new, lets what runs finish for at most `graceMs` and gives back what it holds.
   */
  stop(graceMs: number): Promise<void>
  /** There may be something new in the queue of jobs; only who runs jobs has it. */
  wake?(): void
  /** Where it listens, if it does. */
  port?: number
}

/** What `app/app.ts` offers to those who start processes; each loads its code first. */
export interface ProcessLoaders {
  /** Once per start of the installation, before any process: schema, keys, first administrator. */
  prepare(): Promise<(context: ProcessContext) => Promise<{ adminPassword?: string }>>
  worker(): Promise<(context: ProcessContext) => Promise<RunningProcess>>
  jobs(): Promise<(context: ProcessContext) => Promise<RunningProcess>>
}

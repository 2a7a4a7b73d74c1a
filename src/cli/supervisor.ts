import type { Config } from '../lib/config.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import type { Answers } from './channel.ts'
import { type ChildProcess, spawnChild } from './child-process.ts'
import type { Questions, Role } from './messages.ts'

const ANSWER_MS = 2000
/** What a process may take beyond the grace to end. */
const END_MS = 2000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000
/** A process that ran this long did not fail at its start. */
const STEADY_MS = 30_000

export interface SupervisorOptions {
  config: Config
  log: Log
  metrics: Metrics
  /** Log lines of the processes are for a terminal. */
  pretty: boolean
  /** The command that runs one of the processes. */
  command: (role: Role) => string[]
  /** The process that found the settings, and ends when it has prepared the installation. */
  preparation: ChildProcess
}

export interface Supervisor {
  /** Prepares the installation and starts every process; fails when one of them does. */
  start(): Promise<Questions['prepare'] & { port?: number }>
  /** Lets running transfers finish within the grace of the settings; resolves when all ended. */
  stop(): Promise<void>
  /** Ends all at once. */
  kill(): void
}

/** Keeps one jobs process and the workers running; serves nobody itself. */
export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { config, log, metrics, pretty, command, preparation } = options
  const children = new Map([[preparation.name, preparation]])
  let phase: 'starting' | 'running' | 'stopping' = 'starting'
  let endDelay = () => {}
  const restarts = metrics.counter({
    name: 'process_restarts_total',
    help: 'Processes that ended by themselves and were started again.',
    labelNames: ['process'],
  })

  const answers: Answers = {
    allReady: async () => phase === 'running' && (await everyReady()),
    wakeJobs: async () =>
      (await children.get('jobs')?.channel.ask('wakeJobs', { timeoutMs: ANSWER_MS })) ?? null,
    async allSnapshots() {
      const asked = [...children.values()].map(({ channel }) =>
        channel.ask('snapshot', { timeoutMs: ANSWER_MS }),
      )
      const answers = await Promise.allSettled(asked)
      // A process that does not answer must not hide the figures of all others.
      const given = answers.flatMap((answer) => ('value' in answer ? [answer.value] : []))
      return [await metrics.snapshot(), ...given]
    },
  }

  async function everyReady(): Promise<boolean> {
    const asked = [...children.values()].map(({ channel }) =>
      channel.ask('ready', { timeoutMs: ANSWER_MS }).catch(() => false),
    )
    return asked.length === config.workers + 1 && (await Promise.all(asked)).every(Boolean)
  }

  function spawn(role: Role, name: string): ChildProcess {
    const child = spawnChild({ name, command: command(role), answers })
    child.settle(config, pretty)
    children.set(name, child)
    void child.ended.then(() => {
      if (children.get(name) === child) children.delete(name)
    })
    return child
  }

  /** Starts another one each time the process ends, until the stop. */
  async function keep(role: Role, first: ChildProcess): Promise<void> {
    const { name } = first
    let child = first
    let pause = FIRST_PAUSE_MS
    for (;;) {
      const since = Date.now()
      const { code, signal } = await child.ended
      if (phase === 'stopping') return
      if (Date.now() - since > STEADY_MS) pause = FIRST_PAUSE_MS
      log.error('process ended, starting another', { name, code, signal, pauseMs: pause })
      restarts.inc({ process: name })
      await Bun.sleep(pause)
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
      if (isStopping()) return
      child = spawn(role, name)
      const started = child
      child.channel.ask('start').catch((error) => {
        log.error('process failed to start', { name, error })
        started.kill()
      })
    }
  }

  const isStopping = () => phase === 'stopping'

  return {
    async start() {
      // All are started before the first one prepares, so that they load meanwhile.
      const jobs = spawn('jobs', 'jobs')
      const workers = Array.from({ length: config.workers }, (_, i) =>
        spawn('worker', `worker-${i + 1}`),
      )
      preparation.settle(config, pretty)
      const prepared = await preparation.channel.ask('prepare')
      children.delete(preparation.name)
      preparation.kill()
      const started = await Promise.all(
        [...workers, jobs].map(({ channel }) => channel.ask('start')),
      )
      if (!isStopping()) phase = 'running'
      for (const child of workers) void keep('worker', child)
      void keep('jobs', jobs)
      const { port } = started[0] ?? {}
      return { ...prepared, ...(port === undefined ? {} : { port }) }
    },

    async stop() {
      if (isStopping()) return
      phase = 'stopping'
      const { delay, grace } = config.shutdown
      log.info('stopping', { processes: children.size, delayMs: delay, graceMs: grace })
      for (const { channel } of children.values()) {
        // One that is not told, since it only starts or hangs, is stopped like the others.
        channel.ask('drain', { timeoutMs: ANSWER_MS }).catch(() => {})
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, delay)
        endDelay = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      const ending = [...children.values()].map(async (child) => {
        const limit = setTimeout(() => {
          log.warn('process did not end in time and is killed', { name: child.name })
          child.kill()
        }, grace + END_MS)
        child.channel.ask('stop', { argument: grace }).catch((error) => {
          log.warn('process did not stop cleanly', { name: child.name, error })
        })
        await child.ended
        clearTimeout(limit)
      })
      await Promise.all(ending)
      log.info('stopped')
    },

    kill() {
      phase = 'stopping'
      endDelay()
      for (const child of children.values()) child.kill()
    },
  }
}

import { createLog, type Log } from '../lib/log.ts'
import { createMetrics } from '../lib/metrics.ts'
import type { ProcessContext, ProcessLoaders, RunningProcess } from '../lib/process.ts'
import { createChannel } from './channel.ts'
import type { Message, Role } from './messages.ts'

const PARENT_CHECK_MS = 1000
const ASK_TIMEOUT_MS = 5000

/**
 * The inside of a process that a supervisor started: waits for the settings, then does what it is
 * told, and ends at once when the supervisor is gone (nothing that was acknowledged needs it).
 */
export function runChild(role: Role, loaders: ProcessLoaders): { send(message: Message): void } {
  const send = process.send?.bind(process)
  if (!send) {
    process.stderr.write(`entrepot: "${role}" is started by "entrepot serve", not by hand\n`)
    process.exit(2)
  }
  // Loaded while the installation is still prepared.
  const starting = role === 'prepare' ? undefined : loaders[role]()
  starting?.catch(() => {})
  let context: ProcessContext | undefined
  let running: RunningProcess | undefined

  const channel = createChannel((message) => send(message), {
    async prepare() {
      const { loadTls, prepareSelfSigned } = await import('../lib/tls.ts')
      const { config } = given(context)
      prepareSelfSigned(config)
      const scheme = loadTls(config) ? 'https' : 'http'
      const prepare = await loaders.prepare()
      return { ...(await prepare(given(context))), scheme }
    },
    async start() {
      const start = await starting
      if (!start) throw new Error(`${role} is no process that goes on`)
      running = await start(given(context))
      return running.port === undefined ? {} : { port: running.port }
    },
    ready: async () => (await running?.ready()) ?? false,
    snapshot: async () => given(context).metrics.snapshot(),
    async wakeJobs() {
      running?.wake?.()
      return null
    },
    async drain() {
      running?.drain?.()
      return null
    },
    async stop(graceMs = 0) {
      try {
        await running?.stop(graceMs)
      } finally {
        // After the answer.
        setImmediate(() => process.exit(0))
      }
      return null
    },
  })

  process.on('message', (message: Message) => {
    if (message.kind !== 'settings') return channel.receive(message)
    const { name, config, pretty } = message
    const format = pretty ? 'pretty' : 'json'
    const log = createLog({ level: config.log.level, format, name })
    reportCrashes(log)
    const metrics = createMetrics(name)
    const supervisor = {
      snapshots: () => channel.ask('allSnapshots', { timeoutMs: ASK_TIMEOUT_MS }),
      ready: () => channel.ask('allReady', { timeoutMs: ASK_TIMEOUT_MS }),
      wakeJobs() {
        // One that is not told looks by itself, only later.
        channel.ask('wakeJobs', { timeoutMs: ASK_TIMEOUT_MS }).catch(() => {})
      },
    }
    context = { config, log, metrics, name, supervisor }
  })
  endWithParent()
  return { send }
}

function given(context: ProcessContext | undefined): ProcessContext {
  if (!context) throw new Error('the settings come before all questions')
  return context
}

/**
 * A signal to the whole group (Ctrl-C, systemd) is the supervisor's to handle. A supervisor that
 * was killed closes the channel; the look at the parent is for a channel that stays open.
 */
function endWithParent(): void {
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => {})
  process.on('disconnect', () => process.exit(1))
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) process.exit(1)
  }, PARENT_CHECK_MS).unref()
}

/**
 * After an exception nobody caught the state is unknown: the supervisor starts another process. A
 * promise that failed with nobody waiting (a client that left) is no reason to cut off all the
 * transfers of this one.
 */
function reportCrashes(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.error('process failed', { error })
    process.exit(70)
  })
  process.on('unhandledRejection', (error) => log.error('promise failed unhandled', { error }))
}

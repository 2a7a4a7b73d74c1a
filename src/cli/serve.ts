import { freshenConsole } from '../console/build/freshen.ts'
import { takeFolderLock } from '../lib/folder-lock.ts'
import { addressUrl } from '../lib/listen-address.ts'
import { createLog } from '../lib/log.ts'
import { createMetrics } from '../lib/metrics.ts'
import { type ChildProcess, spawnChild } from './child-process.ts'
import { claimPort } from './claim-port.ts'
import type { Found, Role } from './messages.ts'
import { report } from './report.ts'
import { createSupervisor, type Supervisor } from './supervisor.ts'

/*
 * This process lives as long as the registry and does almost nothing, so it loads almost nothing:
 * the command line and the settings are read by the process that prepares the installation.
 */

/** Runs until a signal ends it, or until the start failed and it was told why. */
export async function serve(command: (role: Role) => string[]): Promise<void> {
  const preparation = spawnChild({ name: 'prepare', command: command('prepare'), answers: {} })
  const found = await Promise.race([preparation.found, preparation.ended])
  // It has answered `--help`, or has told what is wrong.
  if (!('config' in found)) process.exit(found.code ?? 1)
  await report(() => superviseUntilStopped(found, preparation, command))
  process.exit(0)
}

async function superviseUntilStopped(
  { config: asked, warnings }: Found,
  preparation: ChildProcess,
  command: (role: Role) => string[],
): Promise<void> {
  const lock = takeFolderLock(asked.data)
  try {
    const port = await claimPort(asked.listen.address)
    const address = { ...asked.listen.address, port }
    const config = { ...asked, listen: { ...asked.listen, address } }

    const { level, format } = config.log
    const pretty = format === 'pretty' || (format === 'auto' && process.stdout.isTTY === true)
    const log = createLog({ level, format: pretty ? 'pretty' : 'json', name: 'supervisor' })
    for (const warning of warnings) log.warn('setting ignored', { warning })

    const metrics = createMetrics('supervisor')
    const supervisor = createSupervisor({ config, log, metrics, pretty, command, preparation })
    const stop = stopOnSignal(supervisor)
    try {
      const { adminPassword, scheme } = await supervisor.start()
      if (adminPassword !== undefined) showPassword(adminPassword)
      log.info('listening', { url: addressUrl(address, scheme) })
      if (config.console.enabled) stop.also(freshenConsole(log))
    } catch (error) {
      supervisor.kill()
      // Processes that are stopped while they start cannot finish that.
      if (!stop.isRequested()) throw error
    }
    await stop.done
  } finally {
    lock.release()
  }
}

/** The first signal stops gracefully, the second one at once. */
function stopOnSignal(supervisor: Supervisor): {
  isRequested(): boolean
  done: Promise<void>
  /** Calls this too when a stop begins. */
  also(end: () => void): void
} {
  const others: (() => void)[] = []
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let requested = false
  const onSignal = () => {
    if (requested) return supervisor.kill()
    requested = true
    for (const end of others) end()
    supervisor.stop().then(resolve, reject)
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return { isRequested: () => requested, done: promise, also: (end) => others.push(end) }
}

/** Not a log line: logs are kept and shipped, a password must not be. */
function showPassword(password: string): void {
  process.stderr.write(
    `\nThe first administrator is "admin", with the password ${password}\n` +
      'It is shown this once; change it after signing in.\n\n',
  )
}

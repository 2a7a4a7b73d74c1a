import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import packageJson from '../../package.json' with { type: 'json' }
import { createHubClient, hubAddress } from '../hub/runner-program/hub-client.ts'
import { runRunner } from '../hub/runner-program/runner-program.ts'
import { systemClock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { takeFolderLock } from '../lib/folder-lock.ts'
import { createGuardedFetch } from '../lib/guarded-fetch.ts'
import { createLog } from '../lib/log.ts'
import type { RunnerFlags } from './runner-verb.ts'

const USER_AGENT = `entrepot-runner/${packageJson.version}`

/** Runs until a signal ends it; the second one ends it at once. */
export async function runner(given: RunnerFlags): Promise<void> {
  const hubUrl = hubAddress(given.hub)
  const atOnce = Number(given.atOnce)
  if (!Number.isInteger(atOnce) || atOnce < 1 || atOnce > 16) {
    throw invalid('--at-once must be a whole number from 1 to 16')
  }
  const only = (given.registry ?? []).map(hostOf)
  const allowedNetworks = given.allowNetwork ?? []
  const caCertificate = given.caFile === undefined ? undefined : await read(given.caFile)
  const log = createLog({ level: 'info', format: formatOf(given.logFormat), name: 'runner' })

  const lock = takeFolderLock(given.data)
  const stop = new AbortController()
  const onSignal = () => {
    if (stop.signal.aborted) process.exit(1)
    stop.abort(new AppError('unavailable', 'the runner stops'))
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal)
  try {
    await runRunner(
      {
        hub: createHubClient({ url: hubUrl, caCertificate, userAgent: USER_AGENT }),
        hubUrl,
        folder: given.data,
        readToken: () => tokenOf(given.tokenFile),
        caCertificate,
        fetch: createGuardedFetch({ allowedNetworks: ranges(allowedNetworks) }),
        clock: systemClock,
        log,
        version: packageJson.version,
        userAgent: USER_AGENT,
        atOnce,
        only,
      },
      stop.signal,
    )
  } catch (error) {
    if (!stop.signal.aborted) throw error
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal)
    lock.release()
  }
}

/** undefined: there is no file, as after it was taken away because its token is used up. */
async function tokenOf(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw invalid(`cannot read ${file} (--token-file)`)
  })
  return text.trim() || undefined
}

async function read(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => {
    throw invalid(`cannot read ${file} (--ca-file)`)
  })
}

/** With the port, as addresses are compared. */
function hostOf(text: string): string {
  const url = URL.parse(`https://${text}`)
  if (!url || url.host === '' || url.pathname !== '/' || text.includes('@')) {
    throw invalid(`--registry must be a host with an optional port, not "${text.slice(0, 255)}"`)
  }
  return `${url.hostname}:${/:(\d+)$/.exec(text)?.[1] ?? '443'}`
}

/** @throws AppError invalid_input */
function ranges(texts: readonly string[]): readonly string[] {
  const wrong = texts.find((text) => {
    const [, address = '', bits] = /^([0-9a-f.:]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? []
    const family = isIP(address)
    return family === 0 || Number(bits ?? 0) > (family === 4 ? 32 : 128)
  })
  if (wrong === undefined) return texts
  const shown = wrong.slice(0, 64)
  throw invalid(`--allow-network must be a range such as 10.0.0.0/8, not "${shown}"`)
}

function formatOf(asked: string | undefined): 'json' | 'pretty' {
  if (asked === undefined) return process.stdout.isTTY === true ? 'pretty' : 'json'
  if (asked === 'json' || asked === 'pretty') return asked
  throw invalid('--log-format must be json or pretty')
}

function invalid(message: string): AppError {
  return new AppError('invalid_input', message)
}

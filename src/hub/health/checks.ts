import type { Clock } from '../../lib/clock.ts'
import { isAppError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { because } from '../../lib/reasons.ts'
import { storedSays } from '../../lib/stored-says.ts'
import type { Db } from '../../store/db/database.ts'
import type { Connections } from '../connections.ts'
import type { RegistryRecord } from '../registries/record.ts'
import type { Reachable, Registries } from '../registries/registries.ts'
import { checkConnection } from './check-connection.ts'
import { type ConnectionReport, failedReport } from './report.ts'

/** A test is for somebody who looks at it: it does not wait long for a registry to recover. */
const PATIENCE = { tries: 2, longestWait: 3_000 }
const LIMIT_MS = 60_000

/** Tests one that only a runner can speak to. */
export type CheckByRunner = (
  registry: RegistryRecord,
  signal: AbortSignal | undefined,
) => Promise<ConnectionReport>

export interface Checks {
  /** Tests a stored registry and remembers the outcome. @throws AppError not_found */
  check(id: string, signal?: AbortSignal): Promise<ConnectionReport>
  /** Tests what is not stored, or not yet. */
  tryOut(opened: Reachable, signal?: AbortSignal): Promise<ConnectionReport>
}

export function createChecks({
  db,
  clock,
  log,
  registries,
  connections,
  byRunner,
}: {
  db: Db
  clock: Clock
  log: Log
  registries: Registries
  connections: Connections
  byRunner?: CheckByRunner
}): Checks {
  async function tryOut(opened: Reachable, asked?: AbortSignal): Promise<ConnectionReport> {
    const limit = AbortSignal.timeout(LIMIT_MS)
    const signal = asked ? AbortSignal.any([asked, limit]) : limit
    const remote = connections.with(opened, PATIENCE)
    try {
      return await checkConnection({ remote, endpoint: opened.endpoint, clock, signal })
    } catch (error) {
      asked?.throwIfAborted()
      if (limit.aborted) {
        const seconds = LIMIT_MS / 1000
        const reason = `the test took longer than ${seconds} s`
        const { reason: says } = because('check_too_long', { seconds })
        return failedReport(clock(), 'SERVER_ERROR', reason, says)
      }
      log.error('connection test failed', { error })
      return failedReport(
        clock(),
        'SERVER_ERROR',
        'the test failed; the log of the server says why',
        because('check_unforeseen', {}).reason,
      )
    }
  }

  async function reportOn(registry: RegistryRecord, signal?: AbortSignal) {
    const isElsewhere = registry.runnerKey !== null || registry.connectClusterId !== 'local'
    if (!isElsewhere) return tryOut(await registries.open(registry.id), signal)
    if (byRunner) return byRunner(registry, signal)
    const name = registry.connectClusterId
    const { reason: says } = because('runner_silent', { name })
    const reason = `the runner "${name}" is not connected`
    return failedReport(clock(), 'CREATE_JOB_FAILED', reason, says)
  }

  return {
    tryOut,
    async check(id, signal) {
      const registry = await registries.get(id)
      // Whoever deletes one while it is tested finds no trace of the test.
      const opened = registry ?? (await registries.open(id)).registry
      let report: ConnectionReport
      try {
        report = await reportOn(opened, signal)
      } catch (error) {
        if (!isAppError(error) || error.code === 'not_found') throw error
        report = failedReport(clock(), 'SERVER_ERROR', error.message, error.details.reason)
      }
      await remember(db, opened, report)
      return report
    },
  }
}

/** Not for a record that was changed meanwhile: its own test follows. */
async function remember(db: Db, registry: RegistryRecord, report: ConnectionReport): Promise<void> {
  await db.transaction((tx) =>
    tx
      .updateTable('registry')
      .set({
        health: report.ok ? 'ok' : 'failing',
        health_reason: report.reason,
        health_code: report.code,
        health_says: storedSays(report.reason, report.says),
        health_steps: JSON.stringify(report.steps),
        checked_at: report.at,
        credential_expires_at: report.credentialExpiresAt,
        ...(report.ok ? { last_success_at: report.at } : {}),
      })
      .where('id', '=', registry.id)
      .where('version', '=', registry.version)
      .execute(),
  )
}

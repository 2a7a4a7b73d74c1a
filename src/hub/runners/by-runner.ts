import type { Clock } from '../../lib/clock.ts'
import { AppError, isAppError } from '../../lib/errors.ts'
import { newHex } from '../../lib/ids.ts'
import { because } from '../../lib/reasons.ts'
import type { Db } from '../../store/db/database.ts'
import type { CheckByRunner } from '../health/checks.ts'
import { failedReport } from '../health/report.ts'
import type { ReadByRunner } from '../inventory/inventory-source.ts'
import type { RegistryRecord } from '../registries/record.ts'
import type { CopyByRunner, ForgetCopy } from '../transfers/copy-by-runner.ts'
import { type AskRunner, createAskRunner, failureOf } from './ask-runner.ts'
import { isRunnerAway } from './identity.ts'
import type { RunnerResult, RunnerWork } from './protocol.ts'
import { newKeyReason } from './registry-health.ts'

/** The runner itself gives up after a minute. */
const CHECK_LIMIT_MS = 90_000

/** What the hub has runners do in its place. */
export interface ByRunner {
  check: CheckByRunner
  read: ReadByRunner
  copy: CopyByRunner
  forgetCopy: ForgetCopy
}

export function createByRunner(deps: { db: Db; clock: Clock }): ByRunner {
  const { db, clock } = deps
  const ask = createAskRunner(deps)

  /** @throws AppError denied when the runner has another key than the password was encrypted to */
  async function demandKey({ connectClusterId: runner, runnerKey }: RegistryRecord) {
    if (runnerKey === null) return
    const row = await db.query
      .selectFrom('runner')
      .select('key_id')
      .where('id', '=', runner)
      .executeTakeFirst()
    if (row && row.key_id !== runnerKey) {
      throw new AppError(
        'denied',
        newKeyReason(runner),
        because('runner_new_key', { name: runner }),
      )
    }
  }

  return {
    async check(registry, asked) {
      const limit = AbortSignal.timeout(CHECK_LIMIT_MS)
      const signal = asked ? AbortSignal.any([asked, limit]) : limit
      const { id, connectClusterId: runner } = registry
      try {
        await demandKey(registry)
        // Each test is one of its own: nobody wants to hear what was found before.
        const key = `check:${newHex(8)}`
        const work = { kind: 'check' } as const
        const { result, forget } = await ask.run({ runner, registry: id, work, key }, signal)
        await forget()
        if (result.kind !== 'checked') throw odd(runner, result)
        return { ...result.report, at: clock() }
      } catch (error) {
        asked?.throwIfAborted()
        const now = clock()
        if (limit.aborted) {
          const seconds = CHECK_LIMIT_MS / 1000
          const reason = `the runner "${runner}" did not finish the test within ${seconds} s`
          const { reason: says } = because('runner_slow', { name: runner, seconds })
          return failedReport(now, 'CREATE_JOB_FAILED', reason, says)
        }
        if (!isAppError(error)) throw error
        const code = isRunnerAway(error) ? 'CREATE_JOB_FAILED' : 'SERVER_ERROR'
        return failedReport(now, code, error.message, error.details.reason)
      }
    },

    async copy({ registry, other, work, signal, onProgress }) {
      await demandKey(registry)
      if (other) await demandKey(other)
      const { id, connectClusterId: runner } = registry
      const key = `copy:${runner}:${work.transfer}`
      const asked = { runner, registry: id, work: { kind: 'copy', ...work } as const, key }
      const { result, forget } = await ask.run(asked, signal, onProgress)
      // Done again by hand it is another one.
      await forget()
      if (result.kind !== 'copied') throw odd(runner, result)
      return { progress: result.progress, root: result.root ?? null }
    },

    async forgetCopy({ id, connectClusterId: runner }, transfer) {
      await db.transaction((tx) =>
        tx
          .deleteFrom('runner_task')
          .where('unique_key', '=', `copy:${runner}:${transfer}`)
          .where('registry', '=', id)
          .execute(),
      )
    },

    read(registry, { id: sync }, signal) {
      const source = createSource(ask, registry, sync, signal)
      return {
        async list() {
          await demandKey(registry)
          return source.list()
        },
        read: source.read,
      }
    },
  }
}

function createSource(
  ask: AskRunner,
  { id, connectClusterId: runner }: RegistryRecord,
  sync: number,
  signal: AbortSignal,
): ReturnType<ReadByRunner> {
  /**
   * What the runner found is kept for a while: a sync that was cut off after a task ended finds
   * that, and does not have it done again.
   */
  async function run(work: RunnerWork, name: string): Promise<RunnerResult> {
    const key = `${work.kind}:${runner}:${sync}:${name}`
    return (await ask.run({ runner, registry: id, work, key }, signal)).result
  }

  return {
    async list() {
      const result = await run({ kind: 'list', sync }, '')
      if (result.kind !== 'listed') throw odd(runner, result)
      const { problem, problemSays, note, noteSays } = result
      return { problem, problemSays, note, noteSays }
    },
    async read({ repository }) {
      const result = await run({ kind: 'read', sync, repository }, repository)
      if (result.kind !== 'read') throw odd(runner, result)
      const { images, manifestsRead, failure } = result
      return { images, manifestsRead, error: failure && failureOf(failure) }
    },
  }
}

function odd(runner: string, { kind }: RunnerResult): AppError {
  return new AppError('internal', `the runner "${runner}" answered "${kind}" to something else`)
}

import type { Clock } from '../../lib/clock.ts'
import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type { Db } from '../../store/db/database.ts'
import { AWAY_AFTER_MS, runnerAway } from './identity.ts'
import type { CopyProgress, RunnerFailure, RunnerResult } from './protocol.ts'
import { addTask, isHopeless, readTask, type TaskRequest } from './tasks.ts'

/** A task that nobody has asked about for so long is wanted no more. */
const WANTED_MS = 60_000
const FIRST_LOOK_MS = 20
const LONGEST_LOOK_MS = 500

export interface AskRunner {
  /**
   * Has a runner do something and waits for it, also where somebody asked for the same before.
   * The result stays until `forget`, so that whoever goes on after a crash finds it.
   * @throws AppError `unavailable` with `problem: 'runner'` when the runner is away, what the runner
   *   failed with, or the signal's reason
   */
  run(
    request: Omit<TaskRequest, 'wantedUntil'>,
    signal?: AbortSignal,
    onProgress?: (progress: CopyProgress) => void,
  ): Promise<{ result: RunnerResult; forget(): Promise<void> }>
}

type Asked = Pick<TaskRequest, 'runner' | 'registry'>

export function createAskRunner({ db, clock }: { db: Db; clock: Clock }): AskRunner {
  async function demandThere({ runner, registry }: Asked): Promise<void> {
    const row = await db.query
      .selectFrom('runner')
      .select(['state', 'last_seen_at'])
      .select((eb) =>
        eb
          .selectFrom('registry')
          .select('connect_cluster_id')
          .where('registry.id', '=', registry)
          .as('carrier'),
      )
      .where('id', '=', runner)
      .executeTakeFirst()
    const name = { name: runner }
    if (!row) {
      throw runnerAway(
        `there is no runner "${runner}" any more; name another one`,
        because('runner_unknown', name).reason,
      )
    }
    if (row.state === 'invited') {
      const { reason } = because('runner_not_enrolled', name)
      throw runnerAway(`the runner "${runner}" has not enrolled yet`, reason)
    }
    if (row.state === 'revoked') {
      const { reason } = because('runner_revoked', name)
      throw runnerAway(`the runner "${runner}" was revoked`, reason)
    }
    // Nobody would take it, so who waits would wait for ever.
    if (row.carrier !== runner) {
      throw runnerAway(
        `the registry is not with the runner "${runner}" any more`,
        because('runner_moved', name).reason,
      )
    }
    const silent = clock() - (row.last_seen_at ?? 0)
    if (silent <= AWAY_AFTER_MS) return
    const since = new Date(row.last_seen_at ?? 0).toISOString()
    throw runnerAway(
      `the runner "${runner}" was last heard of at ${since}; see whether its program runs and reaches this server`,
      because('runner_silent', name).reason,
    )
  }

  async function keepWanted(id: number): Promise<void> {
    await db.transaction(
      (tx) =>
        tx
          .updateTable('runner_task')
          .set({ wanted_until: clock() + WANTED_MS })
          .where('id', '=', id)
          .execute(),
      { durable: false },
    )
  }

  async function wait(
    id: number,
    asked: Asked,
    signal: AbortSignal | undefined,
    onProgress: ((progress: CopyProgress) => void) | undefined,
  ): Promise<RunnerResult> {
    const { runner } = asked
    let renewAt = clock() + WANTED_MS / 3
    for (let pause = FIRST_LOOK_MS; ; pause = Math.min(pause * 1.5, LONGEST_LOOK_MS)) {
      signal?.throwIfAborted()
      const task = await readTask(db.query, id)
      if (task?.result) return task.result
      if (task?.progress) onProgress?.(task.progress)
      if (!task) {
        await demandThere(asked)
        const { reason } = because('runner_given_up', { name: runner })
        throw runnerAway(`the runner "${runner}" does not do it any more`, reason)
      }
      if (isHopeless(task)) {
        throw new AppError(
          'internal',
          `the runner "${runner}" ended at this again and again`,
          because('runner_given_up', { name: runner }),
        )
      }
      // One that was lost with the runner waits for it, but not for ever.
      if (task.state === 'queued' || pause >= LONGEST_LOOK_MS) await demandThere(asked)
      if (clock() >= renewAt) {
        await keepWanted(id)
        renewAt = clock() + WANTED_MS / 3
      }
      await Bun.sleep(pause)
    }
  }

  return {
    async run(request, signal, onProgress) {
      await demandThere(request)
      const wantedUntil = clock() + WANTED_MS
      const id = await db.transaction((tx) => addTask(tx, { ...request, wantedUntil }, clock()), {
        durable: false,
      })
      const forget = async () => {
        await db.transaction((tx) => tx.deleteFrom('runner_task').where('id', '=', id).execute(), {
          durable: false,
        })
      }
      const result = await wait(id, request, signal, onProgress)
      if (result.kind !== 'failed') return { result, forget }
      await forget()
      throw failureOf(result.failure)
    },
  }
}

/** As if it had happened here. */
export function failureOf(failure: RunnerFailure): AppError {
  const { code, message, problem, retryAfter, says } = failure
  return new AppError(code, message, {
    ...(problem === undefined ? {} : { problem }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(says === undefined ? {} : { reason: says }),
  })
}

import type { JobQueue } from '../../jobs/queue.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Db } from '../../store/db/database.ts'
import { requestCheck } from '../registries/request-check.ts'
import { createRunnerAccess, type RunnerAccess } from './access.ts'
import { enrol } from './enrolment.ts'
import { createRunners, type Runners } from './runners.ts'
import { createTaskAnswers, type TaskAnswers } from './task-answers.ts'

/** Everything that faces need of runners. */
export interface RunnerService {
  /** For those who manage them. */
  runners: Runners
  access: RunnerAccess
  enrol(
    input: Parameters<typeof enrol>[1],
    also?: Parameters<typeof enrol>[2],
  ): ReturnType<typeof enrol>
  /** What runners ask for and say. */
  tasks: TaskAnswers
}

export function createRunnerService(deps: {
  db: Db
  clock: Clock
  queue: JobQueue
  log: Log
}): RunnerService {
  const { db, queue } = deps

  /** What failed because it was away is tested again. */
  async function whenBack(runner: string): Promise<void> {
    await db.transaction(async (tx) => {
      const rows = await tx
        .selectFrom('registry')
        .select(['id', 'version'])
        .where('connect_cluster_id', '=', runner)
        .where('health_code', '=', 'CREATE_JOB_FAILED')
        .execute()
      for (const row of rows) await requestCheck(queue, tx, row)
    })
  }

  return {
    runners: createRunners(deps),
    access: createRunnerAccess({ ...deps, whenBack }),
    enrol: (input, also) => enrol(deps, input, also),
    tasks: createTaskAnswers(deps),
  }
}

import type { JobQueue } from '../../jobs/queue.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Db } from '../../store/db/database.ts'
import { requestSync } from '../inventory/request-sync.ts'
import { requestCheck } from '../registries/request-check.ts'
import { createRunnerAccess, type RunnerAccess } from './access.ts'
import type { IssueCopyToken } from './copy-tokens.ts'
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
  issueCopyToken: IssueCopyToken
}): RunnerService {
  const { db, queue, clock } = deps

  /** What failed because it was away is done again. */
  async function whenBack(runner: string): Promise<void> {
    await db.transaction(async (tx) => {
      const rows = await tx
        .selectFrom('registry')
        .select(['id', 'version', 'health_code'])
        .select((eb) =>
          eb
            .selectFrom('image_sync')
            .select('error_code')
            .whereRef('image_sync.registry', '=', 'registry.id')
            .orderBy('image_sync.id', 'desc')
            .limit(1)
            .as('sync_code'),
        )
        .where('connect_cluster_id', '=', runner)
        .orderBy('id')
        .execute()
      for (const { id, version, health_code: health, sync_code: sync } of rows) {
        if (health === 'CREATE_JOB_FAILED') await requestCheck(queue, tx, { id, version })
        if (sync !== 'CREATE_JOB_FAILED') continue
        await requestSync(queue, tx, { registry: id, trigger: 'change', now: clock() })
      }
    })
  }

  return {
    runners: createRunners(deps),
    access: createRunnerAccess({ ...deps, whenBack }),
    enrol: (input, also) => enrol(deps, input, also),
    tasks: createTaskAnswers(deps),
  }
}

import { isWorthRetrying } from '../../client/remote-error.ts'
import type { RemoteRegistry } from '../../client/remote-registry.ts'
import { defineJob, type Job, type JobContext, Postponed, retryDelay } from '../../jobs/job.ts'
import type { JobQueue } from '../../jobs/queue.ts'
import type { Clock } from '../../lib/clock.ts'
import { AppError, isAppError } from '../../lib/errors.ts'
import { newHex } from '../../lib/ids.ts'
import { createLimit } from '../../lib/limit.ts'
import type { Log } from '../../lib/log.ts'
import { because, type Says } from '../../lib/reasons.ts'
import { storedSays } from '../../lib/stored-says.ts'
import type { Db } from '../../store/db/database.ts'
import type { OpenedRegistry, Registries } from '../registries/registries.ts'
import { isRunnerAway, LOCAL, runnerAway } from '../runners/identity.ts'
import { countImages } from './count-images.ts'
import { createLocalSource, type InventorySource, type ReadByRunner } from './inventory-source.ts'
import { seeUnchanged } from './repository-rows.ts'
import { requestSync, syncJobType } from './request-sync.ts'
import { wantsPause } from './sync-repository.ts'
import {
  beginSync,
  noteDone,
  type RepositoryLeft,
  repositoriesLeft,
  type SyncRow,
  type SyncRun,
  settleUnlisted,
  writeSync,
} from './sync-rows.ts'

/** Repositories at once; each looks up several tags at once. */
const AT_ONCE = 3
const BATCH = 100
/** In a row, without a repository getting done. */
const MOST_PAUSES = 5
const BACK_OFF = { firstDelayMs: 5_000, maxDelayMs: 10 * 60_000 }
const MOST_WAIT_MS = 6 * 60 * 60_000

export interface SyncJobDeps {
  db: Db
  clock: Clock
  log: Log
  queue: JobQueue
  registries: Pick<Registries, 'get' | 'open'>
  connect(opened: OpenedRegistry): RemoteRegistry
  byRunner?: ReadByRunner | undefined
}

/** Reads the images of a registry, or goes on with it where the run before was cut off. */
export function createSyncJob(deps: SyncJobDeps): Job<typeof syncJobType.schema> {
  return defineJob({
    ...syncJobType,
    async run({ sync }, context) {
      const run = { id: sync, run: newHex(8) }
      const row = await beginSync(deps.db, run, deps.clock())
      if (row) await createRun(deps, row, run, context)
    },
  })
}

async function createRun(
  deps: SyncJobDeps,
  row: SyncRow,
  run: SyncRun,
  context: JobContext,
): Promise<void> {
  const { db, clock, log, queue, registries, connect } = deps
  const stop = new AbortController()
  const signal = AbortSignal.any([context.signal, stop.signal])

  try {
    const source = await sourceOf()
    if (row.listed_at === null) await list(source)
    await readAll(source)
    if (!(await hasGaps())) await settleUnlisted(db, row, clock())
    await finish()
  } catch (error) {
    await fail(error)
  }

  async function sourceOf(): Promise<InventorySource> {
    const registry = await registries.get(row.registry)
    if (!registry || registry.connectClusterId === LOCAL) {
      const opened = await registries.open(row.registry)
      const local = { db, registry: connect(opened) }
      return createLocalSource(local, opened.registry, row, signal)
    }
    if (deps.byRunner) return deps.byRunner(registry, row, signal)
    const runner = registry.connectClusterId
    const { reason } = because('runner_silent', { name: runner })
    throw runnerAway(`the registry is reached through "${runner}" alone`, reason)
  }

  async function list(source: InventorySource): Promise<void> {
    const { problem, problemSays, note, noteSays } = await source.list()
    const { count } = await db.query
      .selectFrom('registry_repository')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('registry', '=', row.registry)
      .where('listed_by', '=', row.id)
      .executeTakeFirstOrThrow()
    const [gaps, about] = [shortened(problem), shortened(note)]
    await demandOurs({
      listed_at: clock(),
      repositories_total: Number(count),
      list_error: gaps,
      list_error_says: storedSays(gaps, problemSays),
      note: about,
      note_says: storedSays(about, noteSays),
    })
  }

  /** Then what was not listed may be there all the same. */
  async function hasGaps(): Promise<boolean> {
    const listed = await db.query
      .selectFrom('image_sync')
      .select('list_error')
      .where('id', '=', row.id)
      .executeTakeFirst()
    return listed?.list_error !== null
  }

  /** @throws AppError unavailable when another run has taken over */
  async function demandOurs(values: Parameters<typeof writeSync>[2]): Promise<void> {
    if (!(await db.transaction((tx) => writeSync(tx, run, values)))) throw takenOver()
  }

  async function readAll(source: InventorySource): Promise<void> {
    const limit = createLimit(AT_ONCE)
    for (let after = ''; ; ) {
      const left = await repositoriesLeft(db.query, row, after, BATCH)
      const last = left.at(-1)?.repository
      if (last === undefined) return
      after = last
      const results = await Promise.allSettled(
        left.map((each) => limit(() => readOne(source, each))),
      )
      const failed = results.find(({ status }) => status === 'rejected')
      if (failed?.status === 'rejected')
        throw stop.signal.aborted ? stop.signal.reason : failed.reason
      context.progress({ sync: row.id, repository: last })
    }
  }

  async function readOne(
    source: InventorySource,
    { repository, isUnchanged }: RepositoryLeft,
  ): Promise<void> {
    signal.throwIfAborted()
    const of = { registry: row.registry, repository, sync: row.id, now: clock() }
    let images = 0
    let manifestsRead = 0
    let note: string | undefined
    let noteSays: Says | undefined
    let problem: unknown
    try {
      if (isUnchanged) {
        images = await seeUnchanged(db, of)
      } else {
        const result = await source.read(of)
        images = result.images
        manifestsRead = result.manifestsRead
        problem = result.error
        note = result.note
        noteSays = result.noteSays
      }
    } catch (error) {
      signal.throwIfAborted()
      // The database's failures, and those of the registry as a whole, are not the repository's.
      if (!isAppError(error) || wantsPause(error)) {
        stop.abort(error)
        throw error
      }
      problem = error
    }
    const error = problem === undefined ? undefined : sentenceOf(problem)
    const says = isAppError(problem) ? problem.details.reason : undefined
    if (error !== undefined) log.info('repository not synced', { sync: row.id, repository, error })
    const told = { repository, images, manifestsRead, error, says, note, noteSays }
    if (!(await noteDone(db, run, { registry: row.registry, ...told }))) {
      stop.abort(takenOver())
      throw takenOver()
    }
  }

  async function finish(failure?: { error: AppError; code: SyncRow['error_code'] }): Promise<void> {
    const images = await countImages(db.query, { registries: [row.registry] })
    await db.transaction(async (tx) => {
      const now = clock()
      // Whoever changes the registry asks for a sync afterwards, so that is the order here too.
      const registry = tx.selectFrom('registry').select('id').where('id', '=', row.registry)
      await db.engine.lockRows(registry, 'noKeyUpdate').execute()
      const current = await tx
        .selectFrom('image_sync')
        .select(['repositories_failed', 'repositories_total', 'list_error', 'list_error_says'])
        .where('id', '=', row.id)
        .executeTakeFirst()
      if (!current) return
      const { repositories_failed: failed, repositories_total: total, list_error: gaps } = current
      const allFailed = failed > 0 && failed === total
      const hasFailed = failure !== undefined || allFailed
      const state = hasFailed ? 'failed' : failed > 0 || gaps !== null ? 'partial' : 'done'
      const ours = await writeSync(tx, run, {
        state,
        images,
        run: null,
        finished_at: now,
        ...(failure
          ? errorOf(failure.error)
          : { error: gaps, error_says: current.list_error_says }),
        error_code: failure?.code ?? (allFailed ? 'REQUEST_API_ERROR' : null),
      })
      if (!ours) return
      await tx
        .updateTable('registry')
        .set({ images_num: images, ...(state === 'failed' ? {} : { latest_sync_at: now }) })
        .where('id', '=', row.registry)
        .execute()
      const asked = await tx
        .selectFrom('image_sync')
        .select('again')
        .where('id', '=', row.id)
        .executeTakeFirst()
      if (asked?.again === 1) {
        await requestSync(queue, tx, { registry: row.registry, trigger: 'change', now })
      }
    })
  }

  async function fail(error: unknown): Promise<void> {
    if (context.signal.aborted) {
      // Shut down or taken over: whoever goes on finds what was reached.
      await db.transaction((tx) => writeSync(tx, run, { state: 'queued' }))
      throw error
    }
    if (isAppError(error, 'not_found') && !(await isThere())) return
    if (!isAppError(error)) {
      if (await isThere()) throw error
      return
    }
    const now = clock()
    if (wantsPause(error) || isWorthRetrying(error)) {
      const current = await db.query
        .selectFrom('image_sync')
        .select('pauses')
        .where('id', '=', row.id)
        .executeTakeFirst()
      const pauses = (current?.pauses ?? 0) + 1
      if (pauses < MOST_PAUSES) {
        const wait = Math.min(retryDelay(BACK_OFF, pauses, error), MOST_WAIT_MS)
        const told = {
          state: 'queued',
          pauses,
          ...errorOf(error),
        } as const
        const ours = await db.transaction((tx) => writeSync(tx, run, told))
        if (ours) throw new Postponed(now + wait, error.message)
        return
      }
    }
    log.warn('registry not synced', { registry: row.registry, sync: row.id, error })
    await finish({ error, code: codeOf(error) })
  }

  async function isThere(): Promise<boolean> {
    const found = await db.query
      .selectFrom('registry')
      .select('id')
      .where('id', '=', row.registry)
      .executeTakeFirst()
    return found !== undefined
  }
}

const shortened = (sentence: string | undefined) => sentence?.slice(0, 1_000) ?? null

function errorOf({ message, details }: AppError) {
  const error = shortened(message)
  return { error, error_says: storedSays(error, details.reason) }
}

function takenOver(): AppError {
  return new AppError('unavailable', 'the sync is done elsewhere, or over')
}

/** As HSS names the reasons of failures. */
function codeOf(error: AppError): NonNullable<SyncRow['error_code']> {
  if (isRunnerAway(error)) return 'CREATE_JOB_FAILED'
  const isRemote = error.code.startsWith('remote_') || error.code === 'address_refused'
  return isRemote || error.code === 'rate_limited' ? 'REQUEST_API_ERROR' : 'SERVER_ERROR'
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

import type { ActingFor } from '../../accounts/acting-for.ts'
import { defineJob, type Job, type JobContext, Postponed } from '../../jobs/job.ts'
import type { Clock } from '../../lib/clock.ts'
import { AppError, isAppError } from '../../lib/errors.ts'
import { newHex } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import type { Sealer } from '../../lib/secrets.ts'
import { parseDigest } from '../../oci/digest.ts'
import type { Reference } from '../../oci/reference.ts'
import type { Db } from '../../store/db/database.ts'
import type { Row } from '../../store/db/schema.ts'
import type { CopyProgress } from '../runners/protocol.ts'
import { type CarriedDeps, copyByRunner } from './copy-by-runner.ts'
import { copyImage } from './copy-image.ts'
import type { CopyRequest } from './copy-types.ts'
import { demandTransfer, type TransferAccess } from './ends.ts'
import { isBlobMissing, whatNext } from './failures.ts'
import { parsePlatform } from './platforms.ts'
import { createRecorder } from './recorder.ts'
import { errorColumns, progressColumns } from './run-columns.ts'
import { optionsOf, type Transfer, type TransferEnd, transferOf } from './transfer.ts'
import { transferJobType, type transferPayload } from './transfer-job-type.ts'
import { beginRun, isCalledOff, type TransferRow, writeRun } from './transfer-rows.ts'

const WRITE_MS = 1_000
const ASK_AGAIN_MS = 5_000
const BUSY_PAUSE_MS = 3_000

export interface TransferJobDeps extends CarriedDeps {
  db: Db
  clock: Clock
  log: Log
  sealer: Sealer
  access: TransferAccess
  actingFor: ActingFor
  /** Transfers at once that read from or write to the same registry of others. */
  perRegistry: number
  /** How often progress is written and asked whether it is still allowed; 1 s unless set. */
  writeMs?: number
}

/** Does a transfer, or goes on with it where the run before was cut off. */
export function createTransferJob(deps: TransferJobDeps): Job<typeof transferPayload> {
  return defineJob({
    ...transferJobType,
    async run({ transfer: id }, context) {
      const run = newHex(8)
      const { perRegistry, clock } = deps
      const row = await beginRun(deps, { id, job: context.id, run, perRegistry })
      if (row === undefined) return
      if (row === 'busy') {
        const until = clock() + BUSY_PAUSE_MS * (0.5 + Math.random())
        throw new Postponed(until, 'other transfers are at the same registry')
      }
      await createRun(deps, row, run, context)
    },
  })
}

async function createRun(
  deps: TransferJobDeps,
  row: TransferRow,
  run: string,
  context: JobContext,
): Promise<void> {
  const { db, clock, log, sealer, access, actingFor } = deps
  const id = row.id
  const transfer = transferOf(row)
  const stop = new AbortController()
  const signal = AbortSignal.any([context.signal, stop.signal])
  const principal = () => actingFor(row.requested_by)

  let writing: Promise<void> = Promise.resolve()
  let sealedText: string | undefined
  /** What a runner says, where it does the work. */
  let told: CopyProgress | undefined
  const recorder = createRecorder({
    clock,
    restored: row.checkpoint === null ? undefined : await openCheckpoint(sealer, row.checkpoint),
    save: () => write(),
  })
  // Done again by hand: what was there then is asked for again.
  if (row.digest === null) recorder.forgetDone()

  async function columns(): Promise<Partial<Omit<Row<'transfer'>, 'id'>>> {
    const text = recorder.checkpointText()
    const digest = told?.digest ?? recorder.digest()
    const progress = told ?? recorder.progress()
    const isNew = text !== sealedText
    sealedText = text
    return {
      ...(digest === undefined ? {} : { digest }),
      ...(isNew ? { checkpoint: await sealer.seal(text) } : {}),
      ...(progress ? progressColumns(progress) : {}),
      updated_at: clock(),
    }
  }

  /** One after the other, so that an older state never overwrites a newer one. */
  function write(): Promise<void> {
    writing = writing.then(async () => {
      if (!(await writeRun(db, { id, run }, await columns()))) {
        stop.abort(new AppError('unavailable', 'the transfer was cancelled or is done elsewhere'))
      }
    })
    return writing
  }

  async function watch(): Promise<void> {
    let askAt = clock() + ASK_AGAIN_MS
    const ended = aborted(signal)
    while (!signal.aborted) {
      await Promise.race([Bun.sleep(deps.writeMs ?? WRITE_MS), ended])
      if (signal.aborted) return
      try {
        await write()
        if (clock() < askAt) continue
        askAt = clock() + ASK_AGAIN_MS
        await demandTransfer(access, await principal(), { ...transfer, project: row.project })
      } catch (error) {
        // Not being allowed ends it; a database that does not answer ends it by the lease.
        if (isRefusal(error)) stop.abort(error)
        else log.warn('progress of a transfer not written', { transfer: id, error })
      }
    }
  }

  const watching = watch()
  try {
    const asked = { ...transfer, project: row.project }
    const carried = await demandTransfer(access, await principal(), asked)
    if (carried) {
      await copyByRunner(deps, {
        ...{ transfer, carried, asked: referenceOf(row), principal },
        signal,
        isCalledOff: async () => isRefusal(stop.signal.reason) || isCalledOff(db.query, id),
        onProgress(progress) {
          told = progress
        },
      })
      stop.abort(new AppError('unavailable', 'done'))
      await watching
      return await finish('done')
    }
    const side = async ({ registry, name, repository }: TransferEnd) => ({
      registry:
        registry === null
          ? deps.ownRegistry(principal)
          : deps.connect(await access.registries.open(registry)),
      repository,
      label: `${name}:${repository}`,
    })
    await copyImage({
      ...requestOf(transfer, row),
      source: { ...(await side(transfer.source)), reference: referenceOf(row) },
      target: { ...(await side(transfer.target)), tag: transfer.target.tag ?? undefined },
      signal,
      checkpoint: recorder.checkpoint,
      observer: recorder.observer,
    })
    stop.abort(new AppError('unavailable', 'done'))
    await watching
    await finish('done')
  } catch (error) {
    stop.abort(error)
    await watching
    await fail(error)
  }

  async function finish(state: 'done' | 'failed', error?: AppError): Promise<void> {
    await writing.catch(() => {})
    const now = clock()
    const values = await columns()
    await writeRun(
      db,
      { id, run },
      {
        ...values,
        ...(state === 'done' ? { checkpoint: null } : {}),
        state,
        ...errorColumns(error),
        speed: 0,
        finished_at: now,
      },
    )
  }

  async function fail(error: unknown): Promise<void> {
    await writing.catch(() => {})
    if (context.signal.aborted) {
      // Shut down, cancelled or taken over: whoever goes on finds what was reached.
      const values = await columns()
      await writeRun(db, { id, run }, { ...values, state: 'queued', speed: 0 })
      throw error
    }
    const isPast = isBlobMissing(error) && recorder.forgetDone()
    const arrived = told ? told.bytesSent + told.bytesMounted : recorder.arrived()
    const moved = arrived > row.bytes_sent + row.bytes_mounted
    const next = whatNext(error, { failures: moved ? 0 : row.failures, now: clock(), isPast })
    if (next.state === 'failed') {
      log.warn('transfer failed', { transfer: id, error })
      return finish('failed', next.error)
    }
    const values = await columns()
    const written = await writeRun(
      db,
      { id, run },
      {
        ...values,
        state: 'queued',
        speed: 0,
        failures: next.failures,
        ...errorColumns(next.error),
        waits_until: next.until,
      },
    )
    if (written) throw new Postponed(next.until, next.error.message)
  }
}

/** Whoever asked for it may not any more. */
const isRefusal = (error: unknown): boolean =>
  isAppError(error, 'denied', 'not_found', 'project_unknown', 'unauthenticated')

function requestOf(
  { source, target }: Transfer,
  row: TransferRow,
): Pick<CopyRequest, 'platforms' | 'index' | 'referrers' | 'overwrite' | 'mountFrom'> {
  const { platforms, index, referrers, overwrite } = optionsOf(row)
  const sameRegistry = source.registry === target.registry
  return {
    ...(platforms.length > 0 ? { platforms: platforms.map(parsePlatform) } : {}),
    index,
    referrers,
    overwrite,
    // Ours looks for itself among what the account may pull.
    mountFrom: target.registry === null ? [undefined] : sameRegistry ? [source.repository] : [],
  }
}

/** The digest that was found first, so that a tag that moves meanwhile changes nothing. */
function referenceOf(row: TransferRow): Reference {
  const digest = parseDigest(row.digest ?? row.source_reference)
  return digest ? { kind: 'digest', digest } : { kind: 'tag', tag: row.source_reference }
}

/** One that cannot be opened, as the key was changed, costs no more than what it knew. */
async function openCheckpoint(sealer: Sealer, sealed: string): Promise<string | undefined> {
  return sealer.openText(sealed).catch(() => undefined)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

import type { ExpressionBuilder } from 'kysely'
import type { Clock } from '../../lib/clock.ts'
import type { Db, Queryable, Tx } from '../../store/db/database.ts'
import type { Row, Schema } from '../../store/db/schema.ts'
import type { RunnerIdentity } from './access.ts'
import type { CopyProgress, RunnerResult, RunnerTaskView, RunnerWork } from './protocol.ts'
import { Progress, Result, Work } from './protocol.ts'
import { taskRegistryOf } from './task-registry.ts'

/*
 * Work that one runner alone can do: a row that it leases. Each lease counts `epoch` up, and every
 * write of a runner carries the epoch in its WHERE: whoever has lost a task changes nothing any more,
 * and a task ends once. A lease that runs out makes the task free for the next one who asks.
 */

/** A runner that says nothing for so long has lost what it held. */
export const LEASE_MS = 20_000
/** How long the result of a task is kept for whoever waited for it, and may have been cut off. */
const KEPT_MS = 3_600_000
/** After so many leases that ran out it is the task that ends the runner. */
const MOST_LEASES = 20

/** A task as its holder names it. */
export interface HeldTask {
  runner: string
  id: number
  epoch: number
}

export interface TaskRequest {
  runner: string
  registry: string
  work: RunnerWork
  /** Whoever asks for the same again waits for the same. */
  key: string
  wantedUntil: number
}

/** A held task with what it is for. */
export interface CurrentTask {
  id: number
  registry: string
  work: RunnerWork
  /** Names and images that were told of it since it was leased. */
  entries: number
}

/** Adds a task, or finds the one with the same key. @returns its id */
export async function addTask(tx: Tx, request: TaskRequest, now: number): Promise<number> {
  const { runner, registry, work, key, wantedUntil } = request
  // What nobody waited for to the end tells of another time. Nobody does what is of a registry that
  // was given away: a copy between two goes on from the other one.
  await tx
    .deleteFrom('runner_task')
    .where('unique_key', '=', key)
    .where((eb) => eb.or([eb('wanted_until', '<', now), eb('registry', '!=', registry)]))
    .execute()
  const { id } = await tx
    .insertInto('runner_task')
    .values({
      runner,
      registry,
      kind: work.kind,
      payload: JSON.stringify(work),
      unique_key: key,
      wanted_until: wantedUntil,
      created_at: now,
    })
    .onConflict((conflict) =>
      conflict.column('unique_key').doUpdateSet({ wanted_until: wantedUntil }),
    )
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
}

/**
 * Takes up to `slots` tasks of a runner that are free and still wanted, oldest first. Nothing is given
 * to one that was revoked while it waited.
 */
export async function leaseTasks(
  { db, clock }: { db: Db; clock: Clock },
  runner: Pick<RunnerIdentity, 'id' | 'credential'>,
  { slots, copies }: { slots: number; copies: number },
): Promise<RunnerTaskView[]> {
  const now = clock()
  // Looking first spares the write lock, as there is nearly always nothing to do.
  const any = copies > 0 ? {} : { copies: false }
  if ((await free(db.query, runner, now, any).limit(1).execute()).length === 0) return []
  return db.transaction(
    async (tx) => {
      const take = (copiesOnly: boolean, most: number) =>
        db.engine.lockFreeRows(free(tx, runner, now, { copies: copiesOnly }).limit(most)).execute()
      const due = await take(false, slots)
      const left = Math.min(slots - due.length, copies)
      if (left > 0) due.push(...(await take(true, left)))
      if (due.length === 0) return []
      const ids = due.map(({ id }) => id)
      const rows = await tx
        .updateTable('runner_task')
        .set((eb) => ({
          state: 'leased',
          epoch: eb('epoch', '+', 1),
          lease_until: now + LEASE_MS,
          entries: 0,
        }))
        .where('id', 'in', ids)
        .returningAll()
        .execute()
      const tasks: RunnerTaskView[] = []
      for (const row of rows.sort((a, b) => a.id - b.id)) {
        const work = workOf(row)
        const registry = await taskRegistryOf(tx, row.registry, runner.id)
        const otherId = work.kind === 'copy' ? work.other : undefined
        const other =
          otherId === undefined ? undefined : await taskRegistryOf(tx, otherId, runner.id)
        // Who waits for it finds out that a registry is not for this runner any more.
        if (!registry || (otherId !== undefined && !other)) continue
        tasks.push({ id: row.id, epoch: row.epoch, registry, ...(other ? { other } : {}), work })
      }
      return tasks
    },
    { durable: false },
  )
}

/** Of a registry that was given to another runner meanwhile nobody does anything any more. */
function stillCarries(eb: ExpressionBuilder<Schema, 'runner_task'>) {
  return eb.exists(
    eb
      .selectFrom('registry')
      .select('registry.id')
      .whereRef('registry.id', '=', 'runner_task.registry')
      .whereRef('registry.connect_cluster_id', '=', 'runner_task.runner'),
  )
}

function free(
  on: Queryable,
  { id, credential }: Pick<RunnerIdentity, 'id' | 'credential'>,
  now: number,
  { copies }: { copies?: boolean },
) {
  return on
    .selectFrom('runner_task')
    .$if(copies !== undefined, (query) => query.where('kind', copies ? '=' : '!=', 'copy'))
    .select('id')
    .where('runner', '=', id)
    .where('wanted_until', '>=', now)
    .where('epoch', '<', MOST_LEASES)
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('runner_credential')
          .select('runner_credential.id')
          .where('runner_credential.id', '=', credential),
      ),
    )
    .where((eb) =>
      eb.or([
        eb('state', '=', 'queued'),
        eb.and([eb('state', '=', 'leased'), eb('lease_until', '<', now)]),
      ]),
    )
    .where(stillCarries)
    .orderBy('id')
}

/**
 * Renews the lease; undefined: the task is not held any more. A page is heard after this.
 * @param entries how many names and images are told with it
 */
export async function holdTask(
  on: Queryable,
  { runner, id, epoch }: HeldTask,
  now: number,
  entries = 0,
): Promise<CurrentTask | undefined> {
  const row = await on
    .updateTable('runner_task')
    .set((eb) => ({ lease_until: now + LEASE_MS, entries: eb('entries', '+', entries) }))
    .where('id', '=', id)
    .where('runner', '=', runner)
    .where('epoch', '=', epoch)
    .where('state', '=', 'leased')
    .where('wanted_until', '>=', now)
    .where(stillCarries)
    .returning(['id', 'registry', 'payload', 'entries'])
    .executeTakeFirst()
  return (
    row && { id: row.id, registry: row.registry, work: workOf(row), entries: Number(row.entries) }
  )
}

/** Writes how a task ended, or gives it back. False: it is not held any more. */
export async function endTask(
  on: Queryable,
  { runner, id, epoch }: HeldTask,
  result: RunnerResult,
  now: number,
): Promise<boolean> {
  const released = result.kind === 'released'
  const { numUpdatedRows } = await on
    .updateTable('runner_task')
    .set(
      released
        ? { state: 'queued', lease_until: null }
        : {
            state: 'done',
            lease_until: null,
            result: JSON.stringify(result),
            finished_at: now,
            wanted_until: now + KEPT_MS,
          },
    )
    .where('id', '=', id)
    .where('runner', '=', runner)
    .where('epoch', '=', epoch)
    .where('state', '=', 'leased')
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** What a runner holds goes back, as when its program was started anew. */
export async function releaseTasks(on: Queryable, runner: string): Promise<void> {
  await on
    .updateTable('runner_task')
    .set({ state: 'queued', lease_until: null })
    .where('runner', '=', runner)
    .where('state', '=', 'leased')
    .execute()
}

export interface TaskStanding {
  state: Row<'runner_task'>['state']
  epoch: number
  progress?: CopyProgress
  result?: RunnerResult
}

/** What has become of a task; undefined: it is gone. */
export async function readTask(on: Queryable, id: number): Promise<TaskStanding | undefined> {
  const row = await on
    .selectFrom('runner_task')
    .select(['state', 'epoch', 'progress', 'result'])
    .where('id', '=', id)
    .executeTakeFirst()
  if (!row) return undefined
  const { state, epoch, progress, result } = row
  return {
    state,
    epoch,
    ...(progress === null ? {} : { progress: Progress.parse(JSON.parse(progress)) }),
    ...(result === null ? {} : { result: Result.parse(JSON.parse(result)) }),
  }
}

/** Says how far a task is that was found to be held. */
export async function writeProgress(
  on: Queryable,
  { runner, id, epoch }: HeldTask,
  progress: CopyProgress,
): Promise<void> {
  await on
    .updateTable('runner_task')
    .set({ progress: JSON.stringify(progress) })
    .where('id', '=', id)
    .where('runner', '=', runner)
    .where('epoch', '=', epoch)
    .execute()
}

/** True when so many runs of it ended without a word that it is not tried again. */
export const isHopeless = ({ state, epoch }: { state: string; epoch: number }) =>
  state !== 'done' && epoch >= MOST_LEASES

function workOf({ payload }: Pick<Row<'runner_task'>, 'payload'>): RunnerWork {
  return Work.parse(JSON.parse(payload))
}

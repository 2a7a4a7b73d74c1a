import type { Clock } from '../../lib/clock.ts'
import type { Db, Queryable, Tx } from '../../store/db/database.ts'
import type { Row } from '../../store/db/schema.ts'
import type { Use } from '../registries/uses.ts'
import { describeTransfer, transferOf } from './transfer.ts'

/* Statements on the rows of transfers that several parts need. */

export type TransferRow = Row<'transfer'> & { project_name: string }

export function selectTransfers(on: Queryable) {
  return on
    .selectFrom('transfer')
    .innerJoin('project', 'project.id', 'transfer.project')
    .selectAll('transfer')
    .select('project.name as project_name')
}

/** Transfers that are not finished use their registries: these cannot be deleted meanwhile. */
export async function transfersOf(on: Queryable, registry: string): Promise<Use[]> {
  const rows = await selectTransfers(on)
    .where('transfer.finished_at', 'is', null)
    .where((eb) =>
      eb.or([
        eb('transfer.source_registry', '=', registry),
        eb('transfer.target_registry', '=', registry),
      ]),
    )
    .orderBy('transfer.id')
    .execute()
  return rows.map((row) => ({
    kind: 'transfer',
    id: String(row.id),
    what: `transfer ${row.id} of project ${row.project_name}: ${describeTransfer(transferOf(row))}`,
    project: row.project_name,
    purpose: null,
    environment: null,
    lastUsedAt: row.updated_at,
    outdated: false,
  }))
}

/**
 * Lets a run begin, unless too many others are at one of its registries. The name of the run stands
 * in the row from now on: who has another one writes nothing any more.
 *
 * @returns the row; `busy`: a registry has enough to do; undefined: nobody wants the run any more
 */
export async function beginRun(
  { db, clock }: { db: Db; clock: Clock },
  { id, job, run, perRegistry }: { id: number; job: number; run: string; perRegistry: number },
): Promise<TransferRow | 'busy' | undefined> {
  return db.transaction(
    async (tx) => {
      const row = await selectTransfers(tx)
        .where('transfer.id', '=', id)
        .where('transfer.job', '=', job)
        .where('transfer.finished_at', 'is', null)
        .executeTakeFirst()
      if (!row) return undefined
      const registries = [row.source_registry, row.target_registry].filter(
        (registry) => registry !== null,
      )
      if (!(await hasSlots(db, tx, row.id, registries, { perRegistry, now: clock() }))) {
        await tx
          .updateTable('transfer')
          .set({ state: 'queued', run: null })
          .where('id', '=', id)
          .where('finished_at', 'is', null)
          .execute()
        return 'busy'
      }
      const { numUpdatedRows } = await tx
        .updateTable('transfer')
        .set({ state: 'running', run, waits_until: null, updated_at: clock() })
        .set((eb) => ({ started_at: eb.fn.coalesce('started_at', eb.val(clock())) }))
        .where('id', '=', id)
        .where('finished_at', 'is', null)
        .executeTakeFirst()
      return numUpdatedRows > 0n ? row : undefined
    },
    { durable: false },
  )
}

/** Those that stand as running after their process died do not count: their lease has run out. */
async function hasSlots(
  db: Db,
  tx: Tx,
  id: number,
  registries: readonly string[],
  { perRegistry, now }: { perRegistry: number; now: number },
): Promise<boolean> {
  for (const registry of [...new Set(registries)].sort()) {
    // Two that begin at once must see each other.
    await db.engine
      .lockRows(tx.selectFrom('registry').select('id').where('id', '=', registry), 'noKeyUpdate')
      .execute()
    const { count } = await tx
      .selectFrom('transfer')
      .innerJoin('job', 'job.id', 'transfer.job')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('transfer.id', '!=', id)
      .where('transfer.state', '=', 'running')
      .where('transfer.finished_at', 'is', null)
      .where('job.state', '=', 'running')
      .where('job.lease_until', '>', now)
      .where((eb) =>
        eb.or([
          eb('transfer.source_registry', '=', registry),
          eb('transfer.target_registry', '=', registry),
        ]),
      )
      .executeTakeFirstOrThrow()
    if (Number(count) >= perRegistry) return false
  }
  return true
}

/** Whether it is over, or to be over: cancelled, also as a job, or gone. */
export async function isCalledOff(on: Queryable, id: number): Promise<boolean> {
  const row = await on
    .selectFrom('transfer')
    .innerJoin('job', 'job.id', 'transfer.job')
    .select(['transfer.finished_at', 'job.cancel_requested'])
    .where('transfer.id', '=', id)
    .executeTakeFirst()
  return row === undefined || row.finished_at !== null || row.cancel_requested === 1
}

/** Writes to the row of a run. False: it is not this run's any more. */
export async function writeRun(
  db: Db,
  { id, run }: { id: number; run: string },
  values: Partial<Omit<Row<'transfer'>, 'id'>>,
): Promise<boolean> {
  const { numUpdatedRows } = await db.transaction(
    (tx) =>
      tx
        .updateTable('transfer')
        .set(values)
        .where('id', '=', id)
        .where('run', '=', run)
        .where('finished_at', 'is', null)
        .executeTakeFirst(),
    { durable: false },
  )
  return numUpdatedRows > 0n
}

import type { Authorizer } from '../../accounts/authorize.ts'
import type { Principal } from '../../accounts/principal.ts'
import type { JobQueue } from '../../jobs/queue.ts'
import type { Clock } from '../../lib/clock.ts'
import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type { Also, Db, Tx } from '../../store/db/database.ts'
import { type AskedTransfer, resolveTransfer, type TransferAccess } from './ends.ts'
import { type Transfer, type TransferState, transferOf } from './transfer.ts'
import { transferJobType } from './transfer-job-type.ts'
import { selectTransfers } from './transfer-rows.ts'

/** Other processes do the work, so whoever waits for its end looks into the database. */
const LOOK_MS = { first: 15, last: 100 }

export interface TransferPage {
  /** Only of this project. */
  project?: number | undefined
  state?: TransferState | undefined
  /** Only those with a smaller id. */
  before?: number | undefined
  limit: number
}

export interface Transfers {
  /**
   * Writes down what is to be copied, and the job that does it.
   * @throws AppError of `resolveTransfer`
   */
  create(asked: AskedTransfer, by: Principal, also?: Also<Transfer>): Promise<Transfer>
  /** What he asked for himself and what is of his projects, newest first. */
  list(page: TransferPage, visibleTo: Principal): Promise<Transfer[]>
  /** @throws AppError not_found, also for those that he may not see */
  get(id: number, visibleTo: Principal): Promise<Transfer>
  /** Resolves when it has ended, or after so many milliseconds. */
  untilEnd(id: number, ms: number): Promise<void>
  /** @throws AppError not_found, denied, conflict when it is finished */
  cancel(id: number, by: Principal, also?: Also<Transfer>): Promise<Transfer>
  /**
   * Begins a failed or cancelled one again, with what it has reached. The tag is looked up anew.
   * @throws AppError not_found, denied, conflict when it is not
   */
  retry(id: number, by: Principal, also?: Also<Transfer>): Promise<Transfer>
}

export function createTransfers({
  db,
  clock,
  queue,
  access,
}: {
  db: Db
  clock: Clock
  queue: JobQueue
  access: TransferAccess
}): Transfers {
  const { authorizer } = access

  async function find(id: number): Promise<Transfer | undefined> {
    const row = await selectTransfers(db.query).where('transfer.id', '=', id).executeTakeFirst()
    return row && transferOf(row)
  }

  async function get(id: number, principal: Principal): Promise<Transfer> {
    const found = await find(id)
    if (!found || !(await seesTransfer(authorizer, principal, found)))
      throw new AppError('not_found', `there is no transfer ${id}, or not for you`)
    return found
  }

  /** Who asked for it, who keeps the project, who keeps the system. */
  async function demandHis(transfer: Transfer, principal: Principal): Promise<void> {
    if (transfer.requestedBy.account === principal.account) return
    const project = { ...transfer.project, isPublic: false }
    await authorizer.demand(principal, 'repository:update', { kind: 'project', project })
  }

  /** The row, locked, as it is now. */
  async function lock(tx: Tx, id: number) {
    return db.engine
      .lockRows(
        tx.selectFrom('transfer').select(['id', 'state', 'job']).where('id', '=', id),
        'update',
      )
      .executeTakeFirstOrThrow()
  }

  return {
    get,

    async untilEnd(id, ms) {
      const until = performance.now() + ms
      for (let pause = LOOK_MS.first; performance.now() < until; ) {
        await Bun.sleep(Math.min(pause, Math.max(1, until - performance.now())))
        pause = Math.min(pause * 1.2, LOOK_MS.last)
        const row = await db.query
          .selectFrom('transfer')
          .select('finished_at')
          .where('id', '=', id)
          .executeTakeFirst()
        if (row?.finished_at !== null) return
      }
    },

    async create(asked, by, also) {
      const { project, source, target, options } = await resolveTransfer(access, by, asked)
      if (by.account === null) throw new AppError('unauthenticated', 'sign in to copy images')
      const account = by.account
      const now = clock()
      const id = await db.transaction(async (tx) => {
        await holdRegistries(db, tx, [source.registry, target.registry])
        const row = await tx
          .insertInto('transfer')
          .values({
            project: project.id,
            source_registry: source.registry,
            source_name: source.name,
            source_repository: source.repository,
            source_reference: source.reference,
            target_registry: target.registry,
            target_name: target.name,
            target_repository: target.repository,
            target_tag: target.tag,
            options: JSON.stringify(options),
            requested_by: account,
            requested_by_name: by.name,
            created_at: now,
            updated_at: now,
          })
          .returningAll()
          .executeTakeFirstOrThrow()
        const job = await queue.enqueue(tx, transferJobType, { transfer: row.id })
        await tx
          .updateTable('transfer')
          .set({ job: job ?? null })
          .where('id', '=', row.id)
          .execute()
        await also?.(tx, transferOf({ ...row, project_name: project.name }))
        return row.id
      })
      return get(id, by)
    },

    async list({ project, state, before, limit }, principal) {
      let query = selectTransfers(db.query).orderBy('transfer.id', 'desc').limit(limit)
      if (project !== undefined) query = query.where('transfer.project', '=', project)
      if (state !== undefined) query = query.where('transfer.state', '=', state)
      if (before !== undefined) query = query.where('transfer.id', '<', before)
      if (!principal.isAdmin) {
        const account = principal.account ?? -1
        query = query.where((eb) =>
          eb.or([
            eb('transfer.requested_by', '=', account),
            eb(
              'transfer.project',
              'in',
              eb
                .selectFrom('member')
                .select('member.project')
                .where('member.account', '=', account),
            ),
          ]),
        )
      }
      return (await query.execute()).map(transferOf)
    },

    async cancel(id, by, also) {
      const transfer = await get(id, by)
      await demandHis(transfer, by)
      await db.transaction(async (tx) => {
        const { state, job } = await lock(tx, id)
        if (state !== 'queued' && state !== 'running') {
          throw new AppError(
            'conflict',
            `transfer ${id} is ${state}, so there is nothing to cancel`,
            because('transfer_over', {}),
          )
        }
        if (job !== null) await queue.cancel(tx, job)
        const now = clock()
        await tx
          .updateTable('transfer')
          // A run that has not heard of it yet writes nothing any more.
          .set({ state: 'cancelled', run: null, speed: 0, waits_until: null })
          .set({ finished_at: now, updated_at: now })
          .where('id', '=', id)
          .execute()
        await also?.(tx, transfer)
      })
      return get(id, by)
    },

    async retry(id, by, also) {
      const transfer = await get(id, by)
      // It is done with the rights of whoever asked for it, so nobody else may set it going.
      if (transfer.requestedBy.account !== by.account && !by.isAdmin) {
        throw new AppError(
          'denied',
          `transfer ${id} was asked for by ${transfer.requestedBy.name}, who alone can have it done again; ask for one of your own`,
          because('transfer_not_yours', { name: transfer.requestedBy.name }),
        )
      }
      await db.transaction(async (tx) => {
        await holdRegistries(db, tx, [transfer.source.registry, transfer.target.registry])
        const { state } = await lock(tx, id)
        if (state !== 'failed' && state !== 'cancelled') {
          throw new AppError(
            'conflict',
            `transfer ${id} is ${state}; only what failed or was cancelled can be done again`,
            because('transfer_over', {}),
          )
        }
        const job = await queue.enqueue(tx, transferJobType, { transfer: id })
        await tx
          .updateTable('transfer')
          .set({ state: 'queued', job: job ?? null, run: null, digest: null, failures: 0 })
          .set({
            error: null,
            error_code: null,
            error_says: null,
            waits_until: null,
            finished_at: null,
          })
          .set({ updated_at: clock() })
          .where('id', '=', id)
          .execute()
        await also?.(tx, transfer)
      })
      return get(id, by)
    },
  }
}

/** He asked for it, or it is of one of his projects. */
export async function seesTransfer(
  authorizer: Pick<Authorizer, 'roleIn'>,
  principal: Principal,
  { requestedBy, project }: Pick<Transfer, 'requestedBy' | 'project'>,
): Promise<boolean> {
  if (principal.isAdmin) return true
  if (principal.account === null) return false
  if (requestedBy.account === principal.account) return true
  return (await authorizer.roleIn(principal, project.id)) !== undefined
}

/** So that none is deleted between the look and the row that forbids it. */
async function holdRegistries(db: Db, tx: Tx, ids: readonly (string | null)[]): Promise<void> {
  const registries = [...new Set(ids.filter((id) => id !== null))].sort()
  for (const registry of registries) {
    const found = await db.engine
      .lockRows(tx.selectFrom('registry').select('id').where('id', '=', registry), 'keyShare')
      .executeTakeFirst()
    if (found) continue
    const why = because('registry_gone', {})
    throw new AppError('not_found', 'the registry was deleted meanwhile', why)
  }
}

import { sql } from 'kysely'
import type { ListedRepository } from '../../client/inventory.ts'
import type { Says } from '../../lib/reasons.ts'
import { storedSays } from '../../lib/stored-says.ts'
import type { Db, Queryable, Tx } from '../../store/db/database.ts'
import type { Row } from '../../store/db/schema.ts'
import { keepRegistry } from './repository-rows.ts'
import { settleTags } from './repository-tags.ts'

/* How far a sync is, in its row and in those of the repositories. */

const MOST_REASONS = 20
const REASON_LENGTH = 500

export type SyncRow = Row<'image_sync'>

/** Which run writes; `lost` when another one has taken over, or the sync is over. */
export interface SyncRun {
  id: number
  run: string
}

/** What a sync tells of a repository that it could not read to the end. */
export interface FailedRepository {
  repository: string
  reason: string
  /** The same for the console, where it has words for it: see `because`. */
  says?: Says
}

/** undefined: it is over, or gone with its registry. */
export function beginSync(db: Db, { id, run }: SyncRun, now: number): Promise<SyncRow | undefined> {
  return db.transaction((tx) =>
    tx
      .updateTable('image_sync')
      .set((eb) => ({
        state: 'running',
        run,
        started_at: eb.fn.coalesce('started_at', eb.val(now)),
      }))
      .where('id', '=', id)
      .where('finished_at', 'is', null)
      .returningAll()
      .executeTakeFirst(),
  )
}

/** False: this run has nothing to say any more. */
export async function writeSync(
  on: Queryable,
  { id, run }: SyncRun,
  values: Partial<Omit<SyncRow, 'id'>>,
): Promise<boolean> {
  const { numUpdatedRows } = await on
    .updateTable('image_sync')
    .set(values)
    .where('id', '=', id)
    .where('run', '=', run)
    .where('finished_at', 'is', null)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** Notes that the registry lists these. */
export async function noteListed(
  db: Db,
  { id, registry }: Pick<SyncRow, 'id' | 'registry'>,
  repositories: readonly ListedRepository[],
): Promise<void> {
  await db.transaction(
    async (tx) => {
      if (!(await keepRegistry(db, tx, registry))) return
      await tx
        .insertInto('registry_repository')
        .values(
          repositories.map(({ name: repository, mark = null }) => ({
            registry,
            repository,
            listed_by: id,
            mark,
          })),
        )
        .onConflict((conflict) =>
          conflict
            .columns(['registry', 'repository'])
            .doUpdateSet((eb) => ({ listed_by: id, mark: eb.ref('excluded.mark') })),
        )
        .execute()
    },
    { durable: false },
  )
}

/** A repository that a sync has to look at yet. */
export interface RepositoryLeft {
  repository: string
  /** The registry says that it is as it was when all of it was read. */
  isUnchanged: boolean
}

/** Those that the sync has to read yet, after `after`, in the order of their names. */
export async function repositoriesLeft(
  on: Queryable,
  { id, registry }: Pick<SyncRow, 'id' | 'registry'>,
  after: string,
  limit: number,
): Promise<RepositoryLeft[]> {
  const rows = await on
    .selectFrom('registry_repository')
    .select(['repository', 'mark', 'read_mark'])
    .where('registry', '=', registry)
    .where('repository', '>', after)
    .where('listed_by', '=', id)
    .where((eb) => eb.or([eb('done_by', 'is', null), eb('done_by', '!=', id)]))
    .orderBy('repository')
    .limit(limit)
    .execute()
  return rows.map(({ repository, mark, read_mark: readMark }) => ({
    repository,
    isUnchanged: mark !== null && mark === readMark,
  }))
}

/** Notes that a repository is done; false: this run has nothing to say any more. */
export function noteDone(
  db: Db,
  { id, run }: SyncRun,
  {
    registry,
    repository,
    images,
    manifestsRead,
    error,
    says,
    note,
    noteSays,
  }: {
    registry: string
    repository: string
    images: number
    manifestsRead: number
    error: string | undefined
    says?: FailedRepository['says'] | undefined
    note?: string | undefined
    noteSays?: Says | undefined
  },
): Promise<boolean> {
  const shortNote = note?.slice(0, REASON_LENGTH) ?? null
  return db.transaction(
    async (tx) => {
      const row = await tx
        .updateTable('image_sync')
        .set((eb) => ({
          repositories_done: eb('repositories_done', '+', 1),
          repositories_failed: eb('repositories_failed', '+', error === undefined ? 0 : 1),
          images: eb('images', '+', images),
          manifests_read: eb('manifests_read', '+', manifestsRead),
          pauses: 0,
          ...(shortNote === null
            ? {}
            : {
                note: eb.fn.coalesce('note', eb.val(shortNote)),
                // The same one: what was noted first stays.
                note_says: eb
                  .case()
                  .when('note', 'is', null)
                  .then(storedSays(shortNote, noteSays))
                  .else(eb.ref('note_says'))
                  .end(),
              }),
        }))
        .where('id', '=', id)
        .where('run', '=', run)
        .where('finished_at', 'is', null)
        .returning('reasons')
        .executeTakeFirst()
      if (!row) return false
      const reason = error?.slice(0, REASON_LENGTH)
      const reasons = reasonsOf(row)
      if (reason !== undefined && reasons.length < MOST_REASONS) {
        await tx
          .updateTable('image_sync')
          .set({
            reasons: JSON.stringify([
              ...reasons,
              { repository, reason, ...(says ? { says } : {}) },
            ]),
          })
          .where('id', '=', id)
          .execute()
      }
      await tx
        .updateTable('registry_repository')
        .set(({ selectFrom }) => ({
          done_by: id,
          images: selectFrom('registry_image')
            .select((eb) => eb.fn.countAll<number>().as('images'))
            .where('registry_image.registry', '=', registry)
            .where('registry_image.repository', '=', repository)
            .where('gone_at', 'is', null),
          error: reason ?? null,
          // What was listed before it was read; later changes have another mark.
          read_mark: reason === undefined ? sql.ref('mark') : null,
        }))
        .where('registry', '=', registry)
        .where('repository', '=', repository)
        .execute()
      return true
    },
    { durable: false },
  )
}

export function reasonsOf({ reasons }: Pick<SyncRow, 'reasons'>): FailedRepository[] {
  return JSON.parse(reasons) as FailedRepository[]
}

/** The images of repositories that the registry lists no more: marked first, forgotten by the next. */
export async function settleUnlisted(
  db: Db,
  { id, registry }: Pick<SyncRow, 'id' | 'registry'>,
  now: number,
): Promise<void> {
  for (let after = ''; ; ) {
    const rows = await db.query
      .selectFrom('registry_repository')
      .select('repository')
      .where('registry', '=', registry)
      .where('repository', '>', after)
      .where('listed_by', '!=', id)
      .orderBy('repository')
      .limit(100)
      .execute()
    const last = rows.at(-1)
    if (!last) return
    after = last.repository
    for (const { repository } of rows) {
      await db.transaction((tx) => settle(tx, repository), { durable: false })
    }
  }

  async function settle(tx: Tx, repository: string): Promise<void> {
    await tx
      .deleteFrom('registry_image')
      .where('registry', '=', registry)
      .where('repository', '=', repository)
      .where('gone_at', 'is not', null)
      .where('gone_at', '<', now)
      .execute()
    const { numUpdatedRows } = await tx
      .updateTable('registry_image')
      .set({ gone_at: now, latest_version: 0 })
      .where('registry', '=', registry)
      .where('repository', '=', repository)
      .where('gone_at', 'is', null)
      .executeTakeFirst()
    await settleTags(tx, { registry, repository })
    await tx
      .updateTable('registry_repository')
      .set({ images: 0, read_mark: null })
      .where('registry', '=', registry)
      .where('repository', '=', repository)
      .execute()
    if (numUpdatedRows > 0n) return
    await tx
      .deleteFrom('registry_repository')
      .where('registry', '=', registry)
      .where('repository', '=', repository)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('registry_image')
              .select('id')
              .whereRef('registry_image.registry', '=', 'registry_repository.registry')
              .whereRef('registry_image.repository', '=', 'registry_repository.repository'),
          ),
        ),
      )
      .execute()
  }
}

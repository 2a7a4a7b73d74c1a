import { statement } from '../store/db/prepared.ts'

/** A session that is open. */
export const uploadById = statement((on, asked: { id: string }) =>
  on.selectFrom('upload').selectAll().where('id', '=', asked.id).where('state', '=', 'open'),
)

/**
 * A session that nobody writes to, claimed at once. None: it is somebody else's, or somebody
 * writes or has written to it.
 */
export const claimFreeUpload = statement(
  (
    on,
    claim: {
      id: string
      project: string
      path: string
      account: number | null
      writer: string
      until: number
      now: number
    },
  ) =>
    on
      .updateTable('upload')
      .set((eb) => ({
        epoch: eb('epoch', '+', 1),
        writer: claim.writer,
        writer_until: claim.until,
        updated_at: claim.now,
      }))
      .where('id', '=', claim.id)
      .where('project_name', '=', claim.project)
      .where('repository_name', '=', claim.path)
      .where('account', 'is not distinct from', claim.account)
      .where('writer', 'is', null)
      .where('state', '=', 'open')
      .returningAll(),
)

/** None: somebody else was first. */
export const claimUpload = statement(
  (
    on,
    claim: { id: string; epoch: number; next: number; writer: string; until: number; now: number },
  ) =>
    on
      .updateTable('upload')
      .set({
        epoch: claim.next,
        writer: claim.writer,
        writer_until: claim.until,
        updated_at: claim.now,
      })
      .where('id', '=', claim.id)
      .where('epoch', '=', claim.epoch)
      .where('state', '=', 'open')
      .returningAll(),
)

export const insertUpload = statement(
  (
    on,
    row: {
      id: string
      project: string
      path: string
      account: number | null
      algorithm: string
      storageKey: string
      writer: string | null
      until: number
      now: number
    },
  ) =>
    on
      .insertInto('upload')
      .values({
        id: row.id,
        project_name: row.project,
        repository_name: row.path,
        account: row.account,
        algorithm: row.algorithm,
        storage_key: row.storageKey,
        writer: row.writer,
        writer_until: row.until,
        created_at: row.now,
        updated_at: row.now,
      })
      .returningAll(),
)

import { statement } from '../store/db/prepared.ts'

/** A session that is open. */
export const uploadById = statement((on, asked: { id: string }) =>
  on.selectFrom('upload').selectAll().where('id', '=', asked.id).where('state', '=', 'open'),
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

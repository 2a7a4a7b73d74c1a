import { sql } from 'kysely'
import type { Queryable } from '../store/db/database.ts'
import { statement } from '../store/db/prepared.ts'

/** Sessions are not worth a wait for the disk: a client that lost one starts again. */
export const QUICK = { durable: false }
export const QUICK_SINGLE = { ...QUICK, single: true }

/** As text, since the index of them is partial: see `LIVE`. */
const OPEN = sql.lit<'open'>('open')

/** Open sessions of an account; null: of all who did not sign in. */
export function openOf(on: Queryable, account: number | null) {
  return on
    .selectFrom('upload')
    .where('state', '=', OPEN)
    .where('account', account === null ? 'is' : '=', account)
}

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

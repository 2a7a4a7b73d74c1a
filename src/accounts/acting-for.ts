import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import type { Db } from '../store/db/database.ts'
import { mayEnter, stateColumns, stateOf } from './account-states.ts'
import { GRANT_LIFETIME_MS } from './authorize.ts'
import type { Principal } from './principal.ts'

/**
 * Somebody for whom work goes on in the background after he asked for it: as the account is now,
 * or at most five seconds ago, without what proved it then.
 * @throws AppError denied when the account is gone, disabled or expired
 */
export type ActingFor = (account: number) => Promise<Principal>

export function createActingFor({ db, clock }: { db: Db; clock: Clock }): ActingFor {
  const known = new Map<number, { principal: Principal; until: number }>()
  return async (account) => {
    const now = clock()
    const remembered = known.get(account)
    if (remembered && remembered.until > now) return remembered.principal
    known.delete(account)
    const row = await db.query
      .selectFrom('account')
      .select(stateColumns)
      .where('account.id', '=', account)
      .where((where) => mayEnter(where, now))
      .executeTakeFirst()
    if (!row) {
      throw new AppError(
        'denied',
        'the account that asked for this is gone, disabled or expired; somebody else has to ask again',
      )
    }
    const { id, kind, name, isAdmin } = stateOf(row)
    const principal: Principal = { kind, account: id, name, isAdmin }
    if (known.size > 10_000) known.clear()
    known.set(account, { principal, until: now + GRANT_LIFETIME_MS })
    return principal
  }
}

import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import type { Db } from '../store/db/database.ts'
import { openOf, QUICK } from './upload-statements.ts'

/** Accounts whose allowance a process remembers. */
const REMEMBERED = 10_000
/** The share of what an account has left that one process gives away before it counts again. */
const SHARE = 8
/** What was not used for so long gives way when there are too many: its client is gone. */
const IDLE_MS = 3_600_000
/** So many of them give way at once, while a request waits. */
const ENDED_AT_ONCE = 500

export interface OpenUploads {
  /**
   * Opens a session with `create`.
   * @param account null: all who did not sign in, together
   * @throws AppError rate_limited when the account has as many as it may have
   */
  open<T>(account: number | null, create: () => Promise<T>): Promise<T>
}

/**
 * How many upload sessions an account may have open: each is a row, and maybe bytes, that stay for
 * days when nobody ends it. They are not counted at each push: a count gives a process some that it
 * may open without looking, fewer the less there is left, so that several processes come near the
 * limit together and pass it by little.
 */
export function createOpenUploads(deps: { db: Db; clock: Clock; limit: number }): OpenUploads {
  const { db, clock, limit } = deps
  const allowances = new Map<number | null, number>()
  const refills = new Map<number | null, Promise<void>>()
  const opening = new Map<number | null, Set<Promise<unknown>>>()

  async function count(account: number | null): Promise<number> {
    const { open } = await openOf(db.query, account)
      .select((eb) => eb.fn.countAll<number>().as('open'))
      .executeTakeFirstOrThrow()
    return open
  }

  /**
   * Ends sessions that nobody goes on with. Only their rows: the bytes may be many, and far away,
   * so they are left to the sweeper, for which what was last used at 0 is old enough.
   */
  function endIdle(account: number | null): Promise<number> {
    const now = clock()
    return db.transaction(async (tx) => {
      const idle = openOf(tx, account)
        .select('id')
        .where('updated_at', '<', now - IDLE_MS)
        .where('writer_until', '<', now)
        .limit(ENDED_AT_ONCE)
      // Another process may be at the same ones, or somebody takes one up again.
      const ids = (await db.engine.lockFreeRows(idle).execute()).map(({ id }) => id)
      if (ids.length === 0) return 0
      await tx
        .updateTable('upload')
        .set((eb) => ({ state: 'discarded', epoch: eb('epoch', '+', 1), updated_at: 0 }))
        .where('id', 'in', ids)
        .execute()
      return ids.length
    }, QUICK)
  }

  async function refill(account: number | null): Promise<void> {
    // A thousand requests at once would all pass a count that sees none of their rows yet. While
    // nothing is allowed none of them begins.
    await Promise.allSettled(opening.get(account) ?? [])
    let open = await count(account)
    if (open >= limit && (await endIdle(account)) > 0) {
      open = await count(account)
    }
    if (open >= limit) throw tooMany(account, limit)
    if (allowances.size >= REMEMBERED) allowances.clear()
    allowances.set(account, Math.ceil((limit - open) / SHARE))
  }

  /** To be called in the same turn in which it is allowed, so that no refill misses it. */
  async function noted<T>(account: number | null, create: () => Promise<T>): Promise<T> {
    const created = create()
    const ofAccount = opening.get(account) ?? new Set()
    opening.set(account, ofAccount.add(created))
    try {
      return await created
    } finally {
      ofAccount.delete(created)
      if (ofAccount.size === 0) opening.delete(account)
    }
  }

  return {
    async open(account, create) {
      for (;;) {
        const allowed = allowances.get(account) ?? 0
        if (allowed > 0) {
          allowances.set(account, allowed - 1)
          return noted(account, create)
        }
        // Counted once for all who come meanwhile.
        let refilling = refills.get(account)
        if (!refilling) {
          refilling = refill(account).finally(() => refills.delete(account))
          refills.set(account, refilling)
        }
        await refilling
      }
    },
  }
}

function tooMany(account: number | null, limit: number): AppError {
  const who =
    account === null ? 'all who did not sign in have together' : 'this account has already'
  return new AppError(
    'rate_limited',
    `${who} ${limit} uploads open, which is the limit (uploads.openPerAccount); finish or cancel ` +
      'some, or wait until those that nobody goes on with are an hour old; an administrator of ' +
      'the system can raise it',
    { retryAfter: 60 },
  )
}

import type { Db } from '../../store/db/database.ts'

const TURN_MS = 3_000

/** What a process asks for, of the places at one registry. */
export interface PlaceRequest {
  pool: string
  /** Names the process. */
  process: string
  /** All there are, for all processes together. */
  count: number
  /** In use here, and not to be given back before they are free. */
  used: number
  /** Whether somebody here waits for a place. */
  wantsMore: boolean
  /** 0, or until when the registry wants no requests, epoch milliseconds. */
  pausedUntil: number
  now: number
  leaseUntil: number
}

export interface PlaceGrant {
  granted: number
  /** As any of the processes heard it. */
  pausedUntil: number
}

/**
 * Deals out the places at a registry: what all processes were granted is never more than there is. Who
 * is alone gets all of them; where others wait, nobody keeps more than an equal share but for what is
 * in use. What a process had that died comes back with the end of its lease.
 */
export async function dealPlaces(db: Db, request: PlaceRequest): Promise<PlaceGrant> {
  const { pool, process, count, used, wantsMore, now, leaseUntil } = request
  return db.transaction(
    async (tx) => {
      // The row of the pool is the lock: one deal after the other.
      const { paused_until: pausedUntil } = await tx
        .insertInto('place_pool')
        .values({ key: pool, paused_until: request.pausedUntil })
        .onConflict((conflict) =>
          conflict.column('key').doUpdateSet((eb) => ({
            paused_until: eb
              .case()
              .when('place_pool.paused_until', '<', request.pausedUntil)
              .then(request.pausedUntil)
              .else(eb.ref('place_pool.paused_until'))
              .end(),
          })),
        )
        .returning('paused_until')
        .executeTakeFirstOrThrow()
      await tx
        .deleteFrom('place_lease')
        .where('pool', '=', pool)
        .where('lease_until', '<', now)
        .execute()
      const others = await tx
        .selectFrom('place_lease')
        .select(['process', 'granted', 'wants_more'])
        .where('pool', '=', pool)
        .where('process', '!=', process)
        .execute()
      const left = count - others.reduce((sum, other) => sum + other.granted, 0)
      const isContested = others.some((other) => other.wants_more === 1)
      const share = isContested ? (wantsMore ? shareOf(request, others) : used) : count
      const granted = Math.max(used, Math.min(share, left))
      const lease = { granted, wants_more: wantsMore ? 1 : 0, lease_until: leaseUntil } as const
      await tx
        .insertInto('place_lease')
        .values({ pool, process, ...lease })
        .onConflict((conflict) => conflict.columns(['pool', 'process']).doUpdateSet(lease))
        .execute()
      return { granted, pausedUntil }
    },
    { durable: false },
  )
}

/**
 * An equal share. Who has one of those that do not come out even changes with time, and where there are
 * more processes than places, who has any.
 */
function shareOf(
  { count, process, now }: PlaceRequest,
  others: readonly { process: string }[],
): number {
  const all = others.length + 1
  const place = others.filter((other) => other.process < process).length
  const turn = (place + Math.floor(now / TURN_MS)) % all
  return Math.floor(count / all) + (turn < count % all ? 1 : 0)
}

/** Gives back what the process has, and forgets the pool when nothing is to be known of it. */
export async function returnPlaces(
  db: Db,
  { pool, process, now }: Pick<PlaceRequest, 'pool' | 'process' | 'now'>,
): Promise<void> {
  await db.transaction(
    async (tx) => {
      const row = tx.selectFrom('place_pool').select('key').where('key', '=', pool)
      await db.engine.lockRows(row, 'update').execute()
      await tx
        .deleteFrom('place_lease')
        .where('pool', '=', pool)
        .where('process', '=', process)
        .execute()
      await tx
        .deleteFrom('place_pool')
        .where('key', '=', pool)
        .where('paused_until', '<', now)
        .where((eb) =>
          eb.not(eb.exists(eb.selectFrom('place_lease').select('pool').where('pool', '=', pool))),
        )
        .execute()
    },
    { durable: false },
  )
}

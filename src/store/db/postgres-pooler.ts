import type pg from 'pg'
import { codeOf } from '../../lib/code-of.ts'

/** Others who come between may make one look in vain. */
const LOOKS = 20
/** What PgBouncer says to `begin` where each statement is on its own (pool_mode=statement). */
const NO_TRANSACTIONS = '08P01'

/**
 * Whether a connection is one session of PostgreSQL for as long as it lasts. A pooler that gives
 * each transaction another one mixes what is left in them: limits, the lock of migrations, prepared
 * statements.
 * @param pools give a connection each; both may be of one connection only
 * @param patienceMs for each answer: a pooler that has no session left says nothing
 */
export async function keepsSessions(
  pools: readonly [pg.Pool, pg.Pool],
  patienceMs: number,
): Promise<boolean> {
  const first = await pools[0].connect()
  try {
    // Its backend as told when it connected: a pooler tells a number of its own.
    if ((await backendOf(first, patienceMs)) === announcedBackend(first)) return true
    const second = await pools[1].connect()
    try {
      for (let look = 0; look < LOOKS; look++) {
        if (!(await isOneSession(first, second, patienceMs))) return false
      }
      return true
    } catch (error) {
      if (codeOf(error) === NO_TRANSACTIONS) return false
      throw error
    } finally {
      second.release(true)
    }
  } finally {
    first.release(true)
  }
}

/** While the second one is in a transaction, the first one would get another session than before. */
async function isOneSession(
  first: pg.PoolClient,
  second: pg.PoolClient,
  patienceMs: number,
): Promise<boolean> {
  const before = await backendOf(first, patienceMs)
  await second.query(within(patienceMs, 'begin'))
  const others = await backendOf(second, patienceMs)
  const isOne = others !== before && (await backendOf(first, patienceMs)) === before
  await second.query(within(patienceMs, 'rollback'))
  return isOne
}

async function backendOf(client: pg.PoolClient, patienceMs: number): Promise<number> {
  const query = within(patienceMs, 'select pg_backend_pid() as pid')
  const { rows } = await client.query<{ pid: number }>(query)
  return rows[0]?.pid ?? 0
}

/** The limit of one statement is not in the types of the driver. */
function within(patienceMs: number, text: string): pg.QueryConfig & { query_timeout: number } {
  return { text, query_timeout: patienceMs }
}

/** Not in the types of the driver. */
function announcedBackend(client: pg.PoolClient): unknown {
  return 'processID' in client ? client.processID : undefined
}

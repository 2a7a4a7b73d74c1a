import { createHash } from 'node:crypto'
import { isIPv4, isIPv6 } from 'node:net'
import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { because } from '../lib/reasons.ts'
import type { Db, Tx } from '../store/db/database.ts'
import { unlessFull } from './unless-full.ts'

/*
 * Failed sign-ins, as rows, so that all processes count together. Two counters: of an account
 * from an address, and of an address as a whole. There is none of an account alone: with it a
 * stranger could lock people out. The counters leak: `limit` failures fit in, and one is
 * forgiven every `windowMs / limit`, which is a sliding window in a row of constant size.
 *
 * An account that signed in from an address before is not held back by the address's counter, so
 * that one broken script behind the office's router leaves the colleagues alone.
 *
 * While the disk of the database is full, each process goes on counting in its memory, from where
 * the rows stand; so there are as many guesses more as there are processes, and no free ones.
 */

/** Of a row of `login_failure`. */
interface Counter {
  failures: number
  window_start: number
  blocked_until: number
}

/** Of an account from an address, or of an address. */
type Kind = 'pair' | 'address'

export interface GuardLimits {
  windowMs: number
  /** Failures of one account from one address. */
  perAccount: number
  /** Failures from one address, whatever the account. */
  perAddress: number
}

const GUARD_LIMITS: GuardLimits = { windowMs: 15 * 60_000, perAccount: 10, perAddress: 50 }

const DAY_MS = 86_400_000
/** Of each kind: pairs, of which one address can make up as many as it likes, push out pairs only. */
const MOST_IN_MEMORY = 10_000
const GOOD_FOR_MS = 30 * DAY_MS

export interface LoginGuard {
  /** Throws `rate_limited` while the account may not be tried from the address. */
  check(subject: string, address: string): Promise<void>
  /** Counts a failure, for the address too unless `addressToo` is false. */
  failed(subject: string, address: string, addressToo?: boolean): Promise<void>
  /** Forgets the failures of the account from the address. */
  succeeded(subject: string, address: string): Promise<void>
  /** Deletes rows that say nothing any more; returns how many. */
  sweep(): Promise<number>
}

export function createLoginGuard(deps: {
  db: Db
  clock: Clock
  limits?: Partial<GuardLimits> | undefined
}): LoginGuard {
  const { db, clock } = deps
  const limits = { ...GUARD_LIMITS, ...deps.limits }
  /** What a full disk has no room for. */
  const inMemory = { pair: new Map<string, Counter>(), address: new Map<string, Counter>() }
  const limitOf = { pair: limits.perAccount, address: limits.perAddress }

  async function read(keys: string[]) {
    const rows = await db.query
      .selectFrom('login_failure')
      .selectAll()
      .where('key', 'in', keys)
      .execute()
    return new Map(rows.map((row) => [row.key, row]))
  }

  /** The failures that are not forgiven yet, and since when the next one is being forgiven. */
  function leftOf(counter: Counter, limit: number, now: number) {
    const interval = limits.windowMs / limit
    const forgiven = Math.max(0, Math.floor((now - counter.window_start) / interval))
    const left = Math.max(0, counter.failures - forgiven)
    const since = left === 0 ? now : Math.round(counter.window_start + forgiven * interval)
    return { left, since }
  }

  /**
   * One more failure than the row and the memory know of: whichever knows of more, since the disk
   * may have been full for a while, or have had room.
   */
  function oneMore(known: (Counter | undefined)[], limit: number, now: number): Counter {
    const interval = limits.windowMs / limit
    const most = known
      .flatMap((counter) => (counter ? [leftOf(counter, limit, now)] : []))
      .reduce((a, b) => (b.left > a.left ? b : a), { left: 0, since: now })
    const failures = Math.min(limit, most.left + 1)
    return {
      failures,
      window_start: most.since,
      blocked_until: failures >= limit ? Math.ceil(most.since + interval) : 0,
    }
  }

  async function count(tx: Tx, kind: Kind, key: string, now: number): Promise<void> {
    await tx
      .insertInto('login_failure')
      .values({ key, failures: 0, window_start: now, blocked_until: 0 })
      .onConflict((conflict) => conflict.column('key').doNothing())
      .execute()
    const row = await db.engine
      .lockRows(tx.selectFrom('login_failure').selectAll().where('key', '=', key), 'update')
      .executeTakeFirstOrThrow()
    await tx
      .updateTable('login_failure')
      .set(oneMore([row, inMemory[kind].get(key)], limitOf[kind], now))
      .where('key', '=', key)
      .execute()
  }

  function countInMemory(kind: Kind, key: string, row: Counter | undefined, now: number): void {
    const counters = inMemory[kind]
    const counter = oneMore([row, counters.get(key)], limitOf[kind], now)
    // The oldest give way, so that many invented names do not make the others be forgotten at once.
    counters.delete(key)
    const [oldest] = counters.keys()
    if (counters.size >= MOST_IN_MEMORY && oldest !== undefined) counters.delete(oldest)
    counters.set(key, counter)
  }

  return {
    async check(subject, address) {
      const keys = keysOf(subject, address)
      const rows = await read([keys.pair, keys.address, keys.good])
      const now = clock()
      const untilOf = (kind: Kind) =>
        Math.max(
          rows.get(keys[kind])?.blocked_until ?? 0,
          inMemory[kind].get(keys[kind])?.blocked_until ?? 0,
        )
      const isKnown = rows.has(keys.good)
      const until = Math.max(untilOf('pair'), isKnown ? 0 : untilOf('address'))
      if (until <= now) return
      const retryAfter = Math.ceil((until - now) / 1000)
      throw new AppError(
        'rate_limited',
        `too many failed sign-ins from this address; try again in ${retryAfter} seconds`,
        { retryAfter, ...because('sign_in_paused', { seconds: retryAfter }) },
      )
    },
    async failed(subject, address, addressToo = true) {
      const keys = keysOf(subject, address)
      const now = clock()
      const note = async (tx: Tx) => {
        // Always in this order, so that two of them cannot wait for each other.
        if (addressToo) await count(tx, 'address', keys.address, now)
        await count(tx, 'pair', keys.pair, now)
        return true
      }
      if (await unlessFull(() => db.transaction(note, { durable: false }))) return
      const rows = await read([keys.pair, keys.address])
      if (addressToo) countInMemory('address', keys.address, rows.get(keys.address), now)
      countInMemory('pair', keys.pair, rows.get(keys.pair), now)
    },
    async succeeded(subject, address) {
      const keys = keysOf(subject, address)
      inMemory.pair.delete(keys.pair)
      const rows = await read([keys.pair, keys.good])
      const now = clock()
      const good = rows.get(keys.good)
      if (!rows.has(keys.pair) && good && now - good.window_start < DAY_MS) return
      const note = async (tx: Tx) => {
        await tx.deleteFrom('login_failure').where('key', '=', keys.pair).execute()
        await tx
          .insertInto('login_failure')
          .values({ key: keys.good, failures: 0, window_start: now, blocked_until: 0 })
          .onConflict((conflict) => conflict.column('key').doUpdateSet({ window_start: now }))
          .execute()
      }
      await unlessFull(() => db.transaction(note, { durable: false }))
    },
    async sweep() {
      const now = clock()
      const deleted = await db.query
        .deleteFrom('login_failure')
        .where((where) =>
          where.or([
            where.and([
              where('key', 'not like', 'good:%'),
              where('window_start', '<', now - limits.windowMs),
            ]),
            where('window_start', '<', now - GOOD_FOR_MS),
          ]),
        )
        .returning('key')
        .execute()
      return deleted.length
    },
  }
}

/** Hashed: some people type their password where the name belongs. */
function keysOf(subject: string, address: string) {
  const from = addressBucket(address)
  const pair = digest(`${subject}\n${from}`)
  return { pair: `pair:${pair}`, good: `good:${pair}`, address: `address:${digest(from)}` }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

/** IPv4 as it is, IPv6 by its /64, of which one customer has all addresses. */
export function addressBucket(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  const plain = (mapped ?? address).replace(/%.*$/, '')
  if (isIPv4(plain) || !isIPv6(plain)) return plain
  const [before = [], after = []] = plain
    .split('::')
    .map((side) => side.split(':').filter((group) => group !== ''))
  // An IPv4 address at the end stands for two groups; it is never among the first four.
  const length = before.length + after.length + (plain.includes('.') ? 1 : 0)
  const zeros = new Array<string>(Math.max(0, 8 - length)).fill('0')
  const groups = [...before, ...zeros, ...after]
  const network = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16))
  return `${network.join(':')}::/64`
}

import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { newSecret } from '../lib/ids.ts'
import { equalSecrets, hashSecret } from '../lib/secrets.ts'
import type { Also, Db, Tx } from '../store/db/database.ts'
import { mayEnter, stateColumns, stateOf } from './account-states.ts'
import { holdLogin } from './hold-login.ts'
import { keepNewest } from './keep-newest.ts'
import type { Principal } from './principal.ts'
import { unlessFull } from './unless-full.ts'

/** The oldest make room: a browser that forgets its cookies signs out of nothing. */
const MAX_PER_ACCOUNT = 50
/** `used_at` moves in steps: a page of the console sends several requests at once. */
const USE_GRAIN_MS = 60_000
const MOST_USER_AGENT = 300

/** What a sign-in gives to the browser. */
export interface OpenedSession {
  /** For the cookie; only its hash is kept. */
  token: string
  /** Epoch milliseconds. */
  expiresAt: number
  lifetimeSeconds: number
}

/** Where a sign-in came from. */
export interface SessionOrigin {
  address: string
  userAgent: string
}

export interface Sessions {
  /**
   * For somebody who proved the own password just now.
   * @throws AppError denied (robots, tokens), unauthenticated (the password changed meanwhile)
   */
  open(principal: Principal, from: SessionOrigin, also?: Also): Promise<OpenedSession>
  /** Whose session it is; undefined: it ended, was closed, or its account may not enter. */
  use(token: string): Promise<{ principal: Principal; expiresAt: number } | undefined>
  /** As `use`, but it counts as no use: for what goes on without anybody doing something. */
  peek(token: string): Promise<{ principal: Principal; expiresAt: number } | undefined>
  /** Undefined when there was none. */
  close(token: string): Promise<void>
  /** The token against cross-site requests: it follows from the session's and tells nothing of it. */
  csrfOf(token: string): string
  isCsrf(token: string, given: string): boolean
  /** The password is the one that was made up at the first start. */
  hasGeneratedPassword(account: number): Promise<boolean>
  /** Deletes those that ended; returns how many. */
  sweep(): Promise<number>
}

/**
 * Sign-ins of the console. A session is read with every request and never remembered, so closing
 * it, a new password and a disabled account end it at once, in every process.
 */
export function createSessions(deps: {
  db: Db
  clock: Clock
  idleMs: number
  lifetimeMs: number
}): Sessions {
  const { db, clock, idleMs, lifetimeMs } = deps
  const csrfOf = (token: string) => hashSecret(`csrf\n${token}`)

  async function read(token: string, now: number) {
    const row = await db.query
      .selectFrom('session')
      .innerJoin('account', 'account.id', 'session.account')
      .select([
        ...stateColumns,
        'session.id as session_id',
        'session.used_at',
        'session.expires_at as session_expires_at',
      ])
      .where('session.hash', '=', hashSecret(token))
      .where('session.expires_at', '>', now)
      .where('session.used_at', '>', now - idleMs)
      .where((where) => mayEnter(where, now))
      .executeTakeFirst()
    if (!row) return undefined
    const { id, kind, name, isAdmin, epoch, expiresAt } = stateOf(row)
    const login = { method: 'session', epoch, expiresAt } as const
    const principal: Principal = { kind, account: id, name, isAdmin, login }
    const { session_id: session, used_at: usedAt, session_expires_at: sessionExpiresAt } = row
    return { session, principal, usedAt, sessionExpiresAt }
  }

  return {
    csrfOf,
    isCsrf: (token, given) => equalSecrets(csrfOf(token), given),

    async open(principal, { address, userAgent }, also) {
      const { account, login } = principal
      if (account === null || login?.method !== 'password') {
        throw new AppError('denied', 'only people sign in here, with their name and password')
      }
      const now = clock()
      const token = newSecret()
      const expiresAt = now + lifetimeMs
      await db.transaction(async (tx) => {
        const isHeld = await holdLogin(db, tx, { account, epoch: login.epoch })
        if (!isHeld) throw new AppError('unauthenticated', 'the account was changed; sign in again')
        await tx
          .insertInto('session')
          .values({
            account,
            hash: hashSecret(token),
            address,
            user_agent: userAgent.slice(0, MOST_USER_AGENT),
            created_at: now,
            used_at: now,
            expires_at: expiresAt,
          })
          .execute()
        await keepNewest(tx, 'session', account, MAX_PER_ACCOUNT)
        await also?.(tx)
      })
      return { token, expiresAt, lifetimeSeconds: Math.round(lifetimeMs / 1000) }
    },

    async use(token) {
      const now = clock()
      const found = await read(token, now)
      if (found && now - found.usedAt > Math.min(USE_GRAIN_MS, idleMs / 2)) {
        const note = (tx: Tx) =>
          tx.updateTable('session').set({ used_at: now }).where('id', '=', found.session).execute()
        await unlessFull(() => db.transaction(note, { durable: false }))
      }
      return (
        found && {
          principal: found.principal,
          expiresAt: Math.min(found.sessionExpiresAt, now + idleMs),
        }
      )
    },

    async peek(token) {
      const found = await read(token, clock())
      return (
        found && {
          principal: found.principal,
          expiresAt: Math.min(found.sessionExpiresAt, found.usedAt + idleMs),
        }
      )
    },

    async close(token) {
      await db.query.deleteFrom('session').where('hash', '=', hashSecret(token)).execute()
    },

    async hasGeneratedPassword(account) {
      const row = await db.query
        .selectFrom('credential')
        .select('id')
        .where('account', '=', account)
        .where('kind', '=', 'password')
        .where('generated', '=', 1)
        .executeTakeFirst()
      return row !== undefined
    },

    async sweep() {
      const now = clock()
      const deleted = await db.query
        .deleteFrom('session')
        .where((where) =>
          where.or([where('expires_at', '<=', now), where('used_at', '<=', now - idleMs)]),
        )
        .returning('id')
        .execute()
      return deleted.length
    },
  }
}

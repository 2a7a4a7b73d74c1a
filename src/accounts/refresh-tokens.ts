import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { newSecret } from '../lib/ids.ts'
import { hashSecret } from '../lib/secrets.ts'
import type { Db, Tx } from '../store/db/database.ts'
import { mayEnter, stateColumns, stateOf } from './account-states.ts'
import { holdLogin } from './hold-login.ts'
import { keepNewest } from './keep-newest.ts'
import type { Principal } from './principal.ts'
import { unlessFull } from './unless-full.ts'

/** Every `docker login` makes one and no logout gives it back: the oldest make room. */
const MAX_PER_ACCOUNT = 100
const DAY_MS = 86_400_000

export interface RefreshTokens {
  /**
   * A token that stands for the password from now on, for `service` only. Undefined for whoever
   * did not sign in with a password: robots and API tokens gain nothing by a second secret that
   * their owner could not revoke.
   */
  issue(principal: Principal, service: string): Promise<string | undefined>
  /** Who it stands for; throws `unauthenticated` for an unknown, expired or revoked one. */
  use(token: string, service: string): Promise<Principal>
  /** Deletes expired ones; returns how many. */
  sweep(): Promise<number>
}

/**
 * What docker keeps instead of the password when it asks for an offline token. Lives `lifetimeMs`
 * after its last use, until the password changes or the account is disabled.
 */
export function createRefreshTokens(deps: {
  db: Db
  clock: Clock
  lifetimeMs: number
}): RefreshTokens {
  const { db, clock, lifetimeMs } = deps

  return {
    async issue(principal, service) {
      const { account, login } = principal
      if (account === null || login?.method !== 'password') return undefined
      const now = clock()
      const token = newSecret()
      await db.transaction(async (tx) => {
        const isHeld = await holdLogin(db, tx, { account, epoch: login.epoch })
        if (!isHeld) throw refused()
        await tx
          .insertInto('refresh_token')
          .values({
            account,
            hash: hashSecret(token),
            service,
            created_at: now,
            expires_at: now + lifetimeMs,
          })
          .execute()
        await keepNewest(tx, 'refresh_token', account, MAX_PER_ACCOUNT)
      })
      return token
    },

    async use(token, service) {
      const now = clock()
      // One statement: the account's state is of the moment in which the token was there.
      const row = await db.query
        .selectFrom('refresh_token')
        .innerJoin('account', 'account.id', 'refresh_token.account')
        .select([
          ...stateColumns,
          'refresh_token.id as token_id',
          'refresh_token.expires_at as token_expires_at',
        ])
        .where('refresh_token.hash', '=', hashSecret(token))
        .where('refresh_token.service', '=', service)
        .where('refresh_token.expires_at', '>', now)
        .where((where) => mayEnter(where, now))
        .executeTakeFirst()
      if (!row) throw refused()
      if (row.token_expires_at < now + lifetimeMs - DAY_MS) {
        const extend = (tx: Tx) =>
          tx
            .updateTable('refresh_token')
            .set({ expires_at: now + lifetimeMs })
            .where('id', '=', row.token_id)
            .execute()
        await unlessFull(() => db.transaction(extend, { durable: false }))
      }
      const { id, kind, name, isAdmin, epoch, expiresAt } = stateOf(row)
      return {
        kind,
        account: id,
        name,
        isAdmin,
        login: { method: 'refresh-token', epoch, expiresAt },
      }
    },

    async sweep() {
      const deleted = await db.query
        .deleteFrom('refresh_token')
        .where('expires_at', '<=', clock())
        .returning('id')
        .execute()
      return deleted.length
    },
  }
}

function refused(): AppError {
  return new AppError(
    'unauthenticated',
    'this sign-in has expired or was revoked; sign in again with your password',
  )
}

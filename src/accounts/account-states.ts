import { type ExpressionBuilder, sql } from 'kysely'
import type { Clock } from '../lib/clock.ts'
import { shareReads } from '../lib/shared-reads.ts'
import type { Db } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import type { Schema } from '../store/db/schema.ts'
import { GRANT_LIFETIME_MS } from './authorize.ts'
import type { CredentialRef } from './principal.ts'

/** What the database says of an account that may sign in. */
export interface AccountState {
  id: number
  kind: 'user' | 'robot'
  name: string
  isAdmin: boolean
  /** `valid_after`: tokens that carry another one are void. */
  epoch: number
  /** Epoch milliseconds; null: never. */
  expiresAt: number | null
}

export interface AccountStates {
  /**
   * The account, as seen at most five seconds ago; undefined: it is gone, disabled, expired or of
   * a deleted project, or `credential` was revoked. With an `epoch` unlike the one remembered it
   * is read again, so that a token issued right after a change is good at once.
   */
  read(
    account: number,
    epoch: number,
    credential?: CredentialRef,
  ): Promise<AccountState | undefined>
  /** Drops what this process remembers of an account, after changing it. */
  forget(account: number): void
}

const MAX_REMEMBERED = 50_000

export function createAccountStates({ db, clock }: { db: Db; clock: Clock }): AccountStates {
  const known = new Map<number, Map<string, { state: AccountState; until: number }>>()
  // When what is known ends, all who work with one account ask for it at once.
  const readRow = shareReads(
    ({ account, credential }: Asked) => `${account} ${keyOf(credential)}`,
    ({ account, credential }) => {
      const now = clock()
      return db.query
        .selectFrom('account')
        .select(stateColumns)
        .where('account.id', '=', account)
        .where((where) => mayEnter(where, now))
        .$if(credential !== undefined, (query) =>
          query.where((where) => stillThere(where, credential, now)),
        )
        .executeTakeFirst()
    },
  )

  return {
    async read(account, epoch, credential) {
      const key = keyOf(credential)
      const remembered = known.get(account)?.get(key)
      const now = clock()
      if (remembered && remembered.until > now && remembered.state.epoch === epoch) {
        return remembered.state
      }
      const row = await readRow({ account, credential })
      if (!row) {
        known.get(account)?.delete(key)
        return undefined
      }
      const state = stateOf(row)
      if (known.size > MAX_REMEMBERED) known.clear()
      const ofAccount = known.get(account) ?? new Map()
      if (ofAccount.size > 100) ofAccount.clear()
      ofAccount.set(key, {
        state,
        until: Math.min(now + GRANT_LIFETIME_MS, state.expiresAt ?? Number.POSITIVE_INFINITY),
      })
      known.set(account, ofAccount)
      return state
    },
    forget(account) {
      known.delete(account)
    },
  }
}

interface Asked {
  account: number
  credential: CredentialRef | undefined
}

function keyOf(credential: CredentialRef | undefined): string {
  return credential ? `${credential.kind}:${credential.id}` : ''
}

/** The columns that `stateOf` reads, from any query that joins `account`. */
export const stateColumns = [
  'account.id',
  'account.kind',
  'account.name',
  'account.is_admin',
  'account.valid_after',
  'account.expires_at as account_expires_at',
] as const

export function stateOf(row: {
  id: number
  kind: 'user' | 'robot'
  name: string
  is_admin: 0 | 1
  valid_after: number
  account_expires_at: number | null
}): AccountState {
  return {
    id: row.id,
    kind: row.kind,
    name: row.name,
    isAdmin: row.is_admin === 1 && row.kind === 'user',
    epoch: row.valid_after,
    expiresAt: row.account_expires_at,
  }
}

/** Not disabled, not expired, and of no project that was deleted. */
export function mayEnter(where: ExpressionBuilder<Schema, 'account'>, now: number) {
  return where.and([
    where('account.disabled', '=', 0),
    where.or([where('account.expires_at', 'is', null), where('account.expires_at', '>', now)]),
    where.or([
      where('account.project', 'is', null),
      where.exists(
        where
          .selectFrom('project')
          .select('project.id')
          .whereRef('project.id', '=', 'account.project')
          .where('project.state', '=', LIVE),
      ),
    ]),
  ])
}

const CREDENTIAL_TABLES = {
  secret: 'credential',
  'api-token': 'api_token',
  'access-key': 'access_key',
} as const

/** A runner that was revoked has no tasks, and one whose copy was called off has not that one. */
function stillHeld(where: ExpressionBuilder<Schema, 'account'>, task: number) {
  return where.exists(
    where
      .selectFrom('runner_task')
      .select('runner_task.id')
      .where('runner_task.id', '=', task)
      .where('runner_task.state', '=', 'leased'),
  )
}

function stillThere(
  where: ExpressionBuilder<Schema, 'account'>,
  credential: CredentialRef | undefined,
  now: number,
) {
  if (credential?.kind === 'runner-task') return stillHeld(where, credential.id)
  const table = CREDENTIAL_TABLES[credential?.kind ?? 'secret']
  return where.exists(
    where
      .selectFrom(table)
      .select(`${table}.id`)
      .where(`${table}.id`, '=', credential?.id ?? 0)
      .whereRef(`${table}.account`, '=', 'account.id')
      // Of these only access keys can be put to sleep.
      .$if(table === 'access_key', (query) => query.where(sql.ref('access_key.disabled'), '=', 0))
      .where((inner) =>
        inner.or([
          inner(`${table}.expires_at`, 'is', null),
          inner(`${table}.expires_at`, '>', now),
        ]),
      ),
  )
}

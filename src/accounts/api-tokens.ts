import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { newSecret } from '../lib/ids.ts'
import { because } from '../lib/reasons.ts'
import { hashSecret } from '../lib/secrets.ts'
import type { Also, Db, Tx } from '../store/db/database.ts'
import { type AccountState, mayEnter, stateColumns, stateOf } from './account-states.ts'
import { checkExpiry, checkText } from './names.ts'
import { unlessFull } from './unless-full.ts'

/** Lets secret scanners find leaked ones, and tells them from registry tokens. */
export const API_TOKEN_PREFIX = 'ept_'

const MAX_PER_ACCOUNT = 200
/** `last_used_at` is for people: it is not worth a write per request. */
const USE_GRAIN_MS = 600_000

export interface ApiToken {
  id: number
  name: string
  createdAt: number
  expiresAt: number | null
  /** To within ten minutes. */
  lastUsedAt: number | null
}

export interface ApiTokens {
  /** `token` is shown this once; only its hash is kept. */
  create(
    account: number,
    input: { name: string; expiresAt?: number | null | undefined },
    also?: Also<{ id: number }>,
  ): Promise<ApiToken & { token: string }>
  /** All of an account, oldest first. */
  list(account: number): Promise<ApiToken[]>
  revoke(account: number, id: number, also?: Also<{ name: string }>): Promise<void>
  /** Whose token this is, if it and its account are good now. */
  find(
    token: string,
  ): Promise<{ account: AccountState; id: number; expiresAt: number | null } | undefined>
}

/**
 * Tokens of people for scripts. A changed password leaves them alone; while the account is
 * disabled they are refused.
 */
export function createApiTokens(deps: {
  db: Db
  clock: Clock
  /** Drops what this process remembers of the account. */
  forget: (account: number) => void
}): ApiTokens {
  const { db, clock, forget } = deps

  return {
    async create(account, { name, expiresAt = null }, also) {
      const now = clock()
      checkText('name', name, 128)
      if (name.trim() === '') {
        throw new AppError('invalid_input', 'the token needs a name', {
          field: 'name',
          ...because('field_required', {}),
        })
      }
      checkExpiry(expiresAt, now)
      const token = `${API_TOKEN_PREFIX}${newSecret()}`
      const id = await db
        .transaction(async (tx) => {
          const owner = await db.engine
            .lockRows(tx.selectFrom('account').select('kind').where('id', '=', account), 'update')
            .executeTakeFirst()
          if (owner?.kind !== 'user') {
            throw new AppError('denied', 'only people have API tokens; robots have a secret')
          }
          const { count } = await tx
            .selectFrom('api_token')
            .select((e) => e.fn.countAll<number>().as('count'))
            .where('account', '=', account)
            .executeTakeFirstOrThrow()
          if (count >= MAX_PER_ACCOUNT) {
            throw new AppError(
              'conflict',
              `you have ${MAX_PER_ACCOUNT} API tokens, which is the most; revoke one first`,
              because('too_many_of_these', { most: MAX_PER_ACCOUNT }),
            )
          }
          const row = await tx
            .insertInto('api_token')
            .values({
              account,
              name,
              hash: hashSecret(token),
              created_at: now,
              expires_at: expiresAt,
              last_used_at: null,
            })
            .returning('id')
            .executeTakeFirstOrThrow()
          await also?.(tx, { id: row.id })
          return row.id
        })
        .catch((error: unknown) => {
          if (!db.engine.isUniqueViolation(error)) throw error
          throw new AppError('conflict', `you have an API token named "${name}" already`, {
            field: 'name',
            ...because('name_taken', { name }),
          })
        })
      return { id, name, token, createdAt: now, expiresAt, lastUsedAt: null }
    },

    async list(account) {
      const rows = await db.query
        .selectFrom('api_token')
        .select(['id', 'name', 'created_at', 'expires_at', 'last_used_at'])
        .where('account', '=', account)
        .orderBy('id')
        .execute()
      return rows.map((row) => ({
        id: row.id,
        name: row.name,
        createdAt: row.created_at,
        expiresAt: row.expires_at,
        lastUsedAt: row.last_used_at,
      }))
    },

    async revoke(account, id, also) {
      await db.transaction(async (tx) => {
        const deleted = await tx
          .deleteFrom('api_token')
          .where('id', '=', id)
          .where('account', '=', account)
          .returning('name')
          .executeTakeFirst()
        if (!deleted) throw new AppError('not_found', `you have no API token with the id ${id}`)
        await also?.(tx, { name: deleted.name })
      })
      forget(account)
    },

    async find(token) {
      const now = clock()
      const row = await db.query
        .selectFrom('api_token')
        .innerJoin('account', 'account.id', 'api_token.account')
        .select([
          ...stateColumns,
          'api_token.id as token_id',
          'api_token.expires_at as token_expires_at',
          'api_token.last_used_at',
        ])
        .where('api_token.hash', '=', hashSecret(token))
        .where((where) =>
          where.or([
            where('api_token.expires_at', 'is', null),
            where('api_token.expires_at', '>', now),
          ]),
        )
        .where((where) => mayEnter(where, now))
        .executeTakeFirst()
      if (!row) return undefined
      if (row.last_used_at === null || now - row.last_used_at > USE_GRAIN_MS) {
        const note = (tx: Tx) =>
          tx
            .updateTable('api_token')
            .set({ last_used_at: now })
            .where('id', '=', row.token_id)
            .execute()
        await unlessFull(() => db.transaction(note, { durable: false }))
      }
      return { account: stateOf(row), id: row.token_id, expiresAt: row.token_expires_at }
    },
  }
}

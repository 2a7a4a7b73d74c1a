import { randomBytes, randomInt } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { because } from '../lib/reasons.ts'
import type { Sealer } from '../lib/secrets.ts'
import type { Also, Db, Tx } from '../store/db/database.ts'
import type { Row } from '../store/db/schema.ts'
import { type AccountState, mayEnter, stateColumns, stateOf } from './account-states.ts'
import { checkExpiry, checkText } from './names.ts'
import { unlessFull } from './unless-full.ts'

/** Enough for a program or two with a key each, and a second one while it is changed. */
export const MAX_ACCESS_KEYS = 10
/** `last_used_at` is for people: it is not worth a write per request. */
const USE_GRAIN_MS = 600_000

const PREFIX = 'EPAK'
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'

export interface AccessKey {
  id: number
  name: string
  /** 20 letters and digits; requests carry it. */
  accessKey: string
  disabled: boolean
  createdAt: number
  expiresAt: number | null
  /** To within ten minutes. */
  lastUsedAt: number | null
}

/** A key that is good now, and whose it is. */
export interface FoundAccessKey {
  id: number
  account: AccountState
  secretKey: string
  expiresAt: number | null
  lastUsedAt: number | null
}

export interface AccessKeys {
  /**
   * `secretKey` is shown this once.
   * @throws AppError invalid_input, not_found (the account), conflict (the name, or too many)
   */
  create(
    account: number,
    input: { name: string; expiresAt?: number | null | undefined },
    also?: Also<{ id: number }>,
  ): Promise<AccessKey & { secretKey: string }>
  /** All of an account, oldest first. */
  list(account: number): Promise<AccessKey[]>
  /** @throws AppError not_found */
  setDisabled(
    account: number,
    id: number,
    disabled: boolean,
    also?: Also<{ name: string }>,
  ): Promise<AccessKey>
  /** @throws AppError not_found */
  revoke(account: number, id: number, also?: Also<{ name: string }>): Promise<void>
  /** Undefined unless the key and its account are good now. */
  find(accessKey: string): Promise<FoundAccessKey | undefined>
  /** Notes that the key was used. */
  used(key: FoundAccessKey): Promise<void>
}

/**
 * Keys with which programs sign their requests. As API tokens, they outlive a changed password, and
 * are refused while the account is disabled.
 */
export function createAccessKeys(deps: {
  db: Db
  clock: Clock
  sealer: Sealer
  /** Drops what this process remembers of the account. */
  forget: (account: number) => void
}): AccessKeys {
  const { db, clock, sealer, forget } = deps

  return {
    async create(account, { name, expiresAt = null }, also) {
      const now = clock()
      checkText('name', name, 128)
      if (name.trim() === '') {
        throw new AppError('invalid_input', 'the access key needs a name', {
          field: 'name',
          ...because('field_required', {}),
        })
      }
      checkExpiry(expiresAt, now)
      const accessKey = newAccessKey()
      const secretKey = randomBytes(30).toString('base64url')
      const sealed = await sealer.seal(secretKey)
      const row = await db
        .transaction(async (tx) => {
          const owner = await db.engine
            .lockRows(tx.selectFrom('account').select('id').where('id', '=', account), 'update')
            .executeTakeFirst()
          if (!owner) throw new AppError('not_found', `there is no account with the id ${account}`)
          const { count } = await tx
            .selectFrom('access_key')
            .select((e) => e.fn.countAll<number>().as('count'))
            .where('account', '=', account)
            .executeTakeFirstOrThrow()
          if (count >= MAX_ACCESS_KEYS) {
            throw new AppError(
              'conflict',
              `an account has at most ${MAX_ACCESS_KEYS} access keys; delete one first`,
              because('too_many_of_these', { most: MAX_ACCESS_KEYS }),
            )
          }
          const inserted = await tx
            .insertInto('access_key')
            .values({
              account,
              name,
              access_key: accessKey,
              sealed_secret: sealed,
              created_at: now,
              expires_at: expiresAt,
              last_used_at: null,
            })
            .returningAll()
            .executeTakeFirstOrThrow()
          await also?.(tx, { id: inserted.id })
          return inserted
        })
        .catch((error: unknown) => {
          if (!db.engine.isUniqueViolation(error)) throw error
          throw new AppError('conflict', `there is an access key named "${name}" already`, {
            field: 'name',
            ...because('name_taken', { name }),
          })
        })
      return { ...viewOf(row), secretKey }
    },

    async list(account) {
      const rows = await db.query
        .selectFrom('access_key')
        .selectAll()
        .where('account', '=', account)
        .orderBy('id')
        .execute()
      return rows.map(viewOf)
    },

    async setDisabled(account, id, disabled, also) {
      const row = await db.transaction(async (tx) => {
        const updated = await tx
          .updateTable('access_key')
          .set({ disabled: disabled ? 1 : 0 })
          .where('id', '=', id)
          .where('account', '=', account)
          .returningAll()
          .executeTakeFirst()
        if (!updated) throw unknownKey(id)
        await also?.(tx, { name: updated.name })
        return updated
      })
      forget(account)
      return viewOf(row)
    },

    async revoke(account, id, also) {
      await db.transaction(async (tx) => {
        const deleted = await tx
          .deleteFrom('access_key')
          .where('id', '=', id)
          .where('account', '=', account)
          .returning('name')
          .executeTakeFirst()
        if (!deleted) throw unknownKey(id)
        await also?.(tx, { name: deleted.name })
      })
      forget(account)
    },

    async find(accessKey) {
      const now = clock()
      const row = await db.query
        .selectFrom('access_key')
        .innerJoin('account', 'account.id', 'access_key.account')
        .select([
          ...stateColumns,
          'access_key.id as key_id',
          'access_key.sealed_secret',
          'access_key.expires_at as key_expires_at',
          'access_key.last_used_at',
        ])
        .where('access_key.access_key', '=', accessKey)
        .where('access_key.disabled', '=', 0)
        .where((where) =>
          where.or([
            where('access_key.expires_at', 'is', null),
            where('access_key.expires_at', '>', now),
          ]),
        )
        .where((where) => mayEnter(where, now))
        .executeTakeFirst()
      if (!row) return undefined
      return {
        id: row.key_id,
        account: stateOf(row),
        secretKey: await sealer.openText(row.sealed_secret),
        expiresAt: row.key_expires_at,
        lastUsedAt: row.last_used_at,
      }
    },

    async used({ id, lastUsedAt }) {
      const now = clock()
      if (lastUsedAt !== null && now - lastUsedAt <= USE_GRAIN_MS) return
      const note = (tx: Tx) =>
        tx.updateTable('access_key').set({ last_used_at: now }).where('id', '=', id).execute()
      await unlessFull(() => db.transaction(note, { durable: false }))
    },
  }
}

function newAccessKey(): string {
  const letters = Array.from({ length: 16 }, () => LETTERS[randomInt(LETTERS.length)])
  return PREFIX + letters.join('')
}

function unknownKey(id: number): AppError {
  return new AppError('not_found', `there is no access key with the id ${id}`)
}

function viewOf(row: Row<'access_key'>): AccessKey {
  return {
    id: row.id,
    name: row.name,
    accessKey: row.access_key,
    disabled: row.disabled === 1,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
  }
}

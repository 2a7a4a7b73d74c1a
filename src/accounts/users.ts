import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { because } from '../lib/reasons.ts'
import type { Also, Db, Tx } from '../store/db/database.ts'
import type { Row } from '../store/db/schema.ts'
import { containing } from '../store/db/search.ts'
import { checkAccountName, checkExpiry, checkText } from './names.ts'
import { type Page, type PageRequest, pageOf, rowsToRead } from './page.ts'
import { checkNewPassword, type Passwords } from './passwords.ts'
import { insertPassword, insertUser, type User, userOf } from './user-rows.ts'
import { voidTokens } from './void-tokens.ts'

export interface NewUser {
  name: string
  password: string
  displayName?: string | undefined
  email?: string | null | undefined
  isAdmin?: boolean | undefined
}

export interface UserChange {
  displayName?: string | undefined
  email?: string | null | undefined
  isAdmin?: boolean | undefined
  disabled?: boolean | undefined
  expiresAt?: number | null | undefined
}

/** Who may call which is asked by the caller: everything here but reading is `account:manage`. */
export interface Users {
  /** @throws AppError invalid_input, conflict (the name is taken) */
  create(user: NewUser, also?: Also<User>): Promise<User>
  get(id: number): Promise<User | undefined>
  find(name: string): Promise<User | undefined>
  /** By name in byte order; `nameHas` filters. */
  list(page: PageRequest & { nameHas?: string | undefined }): Promise<Page<User>>
  /**
   * Disabling voids all tokens; API tokens work again when the account is enabled again.
   * @throws AppError invalid_input, not_found, precondition_failed, conflict (last administrator)
   */
  update(id: number, change: UserChange, version?: number, also?: Also<User>): Promise<User>
  /**
   * Voids registry and refresh tokens; API tokens and access keys only if asked, since scripts live
   * on them.
   * @throws AppError invalid_input, also with `refuseSame` when it is the present one; not_found
   */
  setPassword(
    id: number,
    password: string,
    options?: { revokeApiTokens?: boolean | undefined; refuseSame?: boolean },
    also?: Also<{ name: string }>,
  ): Promise<void>
  /** @throws AppError not_found, precondition_failed, conflict (last administrator) */
  remove(id: number, version?: number, also?: Also<{ name: string }>): Promise<void>
}

export function createUsers(deps: {
  db: Db
  clock: Clock
  passwords: Passwords
  /** Drops what this process remembers of the account. */
  forget: (account: number) => void
}): Users {
  const { db, clock, passwords, forget } = deps

  const users = () => db.query.selectFrom('account').selectAll().where('kind', '=', 'user')

  /** The row, locked; checked against the version that the caller has seen. */
  async function lock(tx: Tx, id: number, version?: number): Promise<Row<'account'>> {
    const row = await db.engine
      .lockRows(
        tx.selectFrom('account').selectAll().where('id', '=', id).where('kind', '=', 'user'),
        'update',
      )
      .executeTakeFirst()
    if (!row) throw new AppError('not_found', `there is no user with the id ${id}`)
    if (version !== undefined && version !== row.version) {
      throw new AppError(
        'precondition_failed',
        `user "${row.name}" was changed meanwhile`,
        because('changed_meanwhile', { name: row.name }),
      )
    }
    return row
  }

  async function demandOther(id: number, password: string): Promise<void> {
    const present = await db.query
      .selectFrom('credential')
      .select('hash')
      .where('account', '=', id)
      .where('kind', '=', 'password')
      .executeTakeFirst()
    if (!present) return
    if (await passwords.verifying((verify) => verify(password, present.hash))) {
      throw new AppError('invalid_input', 'this is the present password; choose another one', {
        field: 'password',
        ...because('password_same', {}),
      })
    }
  }

  /** Without a lasting administrator nobody could ever make one again. */
  async function keepAnAdmin(tx: Tx, id: number): Promise<void> {
    const admins = await db.engine
      .lockRows(
        tx
          .selectFrom('account')
          .select('id')
          .where('is_admin', '=', 1)
          .where('disabled', '=', 0)
          .where('expires_at', 'is', null)
          .orderBy('id'),
        'update',
      )
      .execute()
    if (admins.length === 1 && admins[0]?.id === id) {
      throw new AppError(
        'conflict',
        'this is the last system administrator; make somebody else one first',
        because('last_administrator', {}),
      )
    }
  }

  return {
    async create({ name, password, displayName = '', email = null, isAdmin = false }, also) {
      checkAccountName(name)
      checkNewPassword(password)
      checkText('displayName', displayName, 128)
      checkEmail(email)
      const hash = await passwords.hash(password)
      const now = clock()
      const row = await db
        .transaction(async (tx) => {
          const user = { name, hash, displayName, email, isAdmin, createdAt: now }
          const inserted = await insertUser(tx, user)
          await also?.(tx, userOf(inserted))
          return inserted
        })
        .catch((error: unknown) => {
          if (!db.engine.isUniqueViolation(error)) throw error
          throw new AppError('conflict', `the name "${name}" is taken`, {
            field: 'name',
            ...because('name_taken', { name }),
          })
        })
      return userOf(row)
    },

    async get(id) {
      const row = await users().where('id', '=', id).executeTakeFirst()
      return row && userOf(row)
    },

    async find(name) {
      const row = await users().where('name', '=', name).executeTakeFirst()
      return row && userOf(row)
    },

    async list({ nameHas, ...page }) {
      const read = rowsToRead(page)
      let query = users().orderBy('name').limit(read)
      if (page.after !== undefined) query = query.where('name', '>', page.after)
      if (nameHas) query = query.where(containing('account.name', nameHas))
      return pageOf(await query.execute(), read, (row) => row.name, userOf)
    },

    async update(id, change, version, also) {
      const now = clock()
      if (change.displayName !== undefined) checkText('displayName', change.displayName, 128)
      checkEmail(change.email)
      checkExpiry(change.expiresAt, now)
      const weakens =
        change.isAdmin === false ||
        change.disabled === true ||
        (change.expiresAt !== undefined && change.expiresAt !== null)
      const row = await db.transaction(async (tx) => {
        // First, so that two who take each other's rights lock in the same order.
        if (weakens) await keepAnAdmin(tx, id)
        const old = await lock(tx, id, version)
        if (change.disabled === true && old.disabled === 0) await voidTokens(tx, old, now)
        const updated = await tx
          .updateTable('account')
          .set({
            display_name: change.displayName ?? old.display_name,
            email: change.email === undefined ? old.email : change.email,
            is_admin: change.isAdmin === undefined ? old.is_admin : change.isAdmin ? 1 : 0,
            disabled: change.disabled === undefined ? old.disabled : change.disabled ? 1 : 0,
            expires_at: change.expiresAt === undefined ? old.expires_at : change.expiresAt,
            updated_at: now,
            version: old.version + 1,
          })
          .where('id', '=', id)
          .returningAll()
          .executeTakeFirstOrThrow()
        await also?.(tx, userOf(updated))
        return updated
      })
      forget(id)
      return userOf(row)
    },

    async setPassword(id, password, { revokeApiTokens = false, refuseSame = false } = {}, also) {
      checkNewPassword(password)
      if (refuseSame) await demandOther(id, password)
      const hash = await passwords.hash(password)
      const now = clock()
      await db.transaction(async (tx) => {
        const old = await lock(tx, id)
        await tx
          .deleteFrom('credential')
          .where('account', '=', id)
          .where('kind', '=', 'password')
          .execute()
        await insertPassword(tx, id, hash, now)
        await voidTokens(tx, old, now)
        if (revokeApiTokens) {
          await tx.deleteFrom('api_token').where('account', '=', id).execute()
          await tx.deleteFrom('access_key').where('account', '=', id).execute()
        }
        await tx
          .updateTable('account')
          .set({ updated_at: now, version: old.version + 1 })
          .where('id', '=', id)
          .execute()
        await also?.(tx, { name: old.name })
      })
      forget(id)
    },

    async remove(id, version, also) {
      await db.transaction(async (tx) => {
        await keepAnAdmin(tx, id)
        const { name } = await lock(tx, id, version)
        await tx.deleteFrom('account').where('id', '=', id).execute()
        await also?.(tx, { name })
      })
      forget(id)
    },
  }
}

function checkEmail(email: string | null | undefined): void {
  if (email === null || email === undefined) return
  if (email.length > 254 || !/^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u.test(email)) {
    throw new AppError('invalid_input', 'this is not an email address', {
      field: 'email',
      ...because('email_invalid', {}),
    })
  }
}

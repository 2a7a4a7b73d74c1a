import type { Tx } from '../store/db/database.ts'
import type { Row } from '../store/db/schema.ts'

/* Users as rows of the tables of all accounts: one of `account`, and a credential. */

export interface User {
  id: number
  name: string
  displayName: string
  email: string | null
  /** System administrator. */
  isAdmin: boolean
  disabled: boolean
  expiresAt: number | null
  createdAt: number
  updatedAt: number
  /** Changes with every update: the ETag. */
  version: number
}

export function userOf(row: Row<'account'>): User {
  return {
    id: row.id,
    name: row.name,
    displayName: row.display_name,
    email: row.email,
    isAdmin: row.is_admin === 1,
    disabled: row.disabled === 1,
    expiresAt: row.expires_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    version: row.version,
  }
}

/** The row of a new user with its password; nothing is checked. */
export async function insertUser(
  tx: Tx,
  user: {
    name: string
    hash: string
    displayName: string
    email: string | null
    isAdmin: boolean
    createdAt: number
    /** The password was made up by the program. */
    generated?: boolean
  },
): Promise<Row<'account'>> {
  const row = await tx
    .insertInto('account')
    .values({
      kind: 'user',
      name: user.name,
      display_name: user.displayName,
      email: user.email,
      is_admin: user.isAdmin ? 1 : 0,
      project: null,
      expires_at: null,
      created_at: user.createdAt,
      updated_at: user.createdAt,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  await insertPassword(tx, row.id, user.hash, user.createdAt, user.generated)
  return row
}

export async function insertPassword(
  tx: Tx,
  account: number,
  hash: string,
  now: number,
  generated = false,
): Promise<void> {
  await tx
    .insertInto('credential')
    .values({
      account,
      kind: 'password',
      hash,
      created_at: now,
      expires_at: null,
      generated: generated ? 1 : 0,
    })
    .execute()
}

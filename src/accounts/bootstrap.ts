import { randomInt } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import type { Db } from '../store/db/database.ts'
import { checkNewPassword, type Passwords } from './passwords.ts'
import { insertUser } from './user-rows.ts'

/** Present once the first administrator was made, even if he was deleted since. */
const SETTING = 'first_admin'
const NAME = 'admin'

export interface FirstAdmin {
  name: string
  /** To be printed once when `generated`: it is kept nowhere. */
  password: string
  generated: boolean
}

/**
 * Makes the first administrator, `admin`, on the first start. Any number of processes may call it
 * at once: one gets the password, the others undefined, as at every later start.
 * @throws AppError invalid_input when the given password is too weak
 */
export async function createFirstAdmin(deps: {
  db: Db
  clock: Clock
  passwords: Passwords
  /** From the settings; without it one is generated. */
  password?: string | undefined
}): Promise<FirstAdmin | undefined> {
  const { db, clock, passwords } = deps
  const done = await db.query
    .selectFrom('setting')
    .select('key')
    .where('key', '=', SETTING)
    .executeTakeFirst()
  if (done) return undefined

  const generated = deps.password === undefined
  const password = deps.password ?? readablePassword()
  checkNewPassword(password)
  const hash = await passwords.hash(password)
  const now = clock()
  return db.transaction(async (tx) => {
    // The others wait here for the first one, and then find the row.
    const first = await tx
      .insertInto('setting')
      .values({ key: SETTING, value: NAME })
      .onConflict((conflict) => conflict.column('key').doNothing())
      .returning('key')
      .executeTakeFirst()
    if (!first) return undefined
    await insertUser(tx, {
      name: NAME,
      hash,
      displayName: 'Administrator',
      email: null,
      isAdmin: true,
      createdAt: now,
      generated,
    })
    return { name: NAME, password, generated }
  })
}

/** 20 characters that are not mistaken for one another when typed off: more than 110 bits. */
export function readablePassword(): string {
  const letters = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'
  for (;;) {
    const password = Array.from({ length: 20 }, () => letters[randomInt(letters.length)]).join('')
    if (/[a-z]/.test(password) && /[A-Z]/.test(password) && /\d/.test(password)) return password
  }
}

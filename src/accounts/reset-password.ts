import { writeAudit } from '../events/audit.ts'
import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import type { Db } from '../store/db/database.ts'
import { readablePassword } from './bootstrap.ts'
import type { Passwords } from './passwords.ts'
import type { User } from './user-rows.ts'
import { createUsers } from './users.ts'

export interface ResetRequest {
  name: string
  /** Without it one is made up. */
  password?: string | undefined
  /** API tokens and access keys stay good: scripts live on them. */
  keepsTokens: boolean
  /** Who did it on this machine, for the audit. */
  by: string
}

export interface ResetAnswer {
  user: User
  /** Only where it was made up: it is kept nowhere. */
  password?: string
}

/** No user can be called that, since it has a space. */
const ACTOR = { account: null, name: 'command line' }

/**
 * Gives a user another password, for who has the machine and cannot sign in any more. What was
 * issued on the old one is void, as with any change of a password; running servers notice within
 * the five seconds for which they remember grants.
 * @throws AppError invalid_input (too weak), not_found with the names of the administrators
 */
export async function resetPassword(
  { db, clock, passwords }: { db: Db; clock: Clock; passwords: Passwords },
  { name, password, keepsTokens, by }: ResetRequest,
): Promise<ResetAnswer> {
  const users = createUsers({ db, clock, passwords, forget: () => {} })
  const user = await users.find(name)
  if (!user) throw await unknownUser(db, name)
  const given = password ?? readablePassword()
  await users.setPassword(user.id, given, { revokeApiTokens: !keepsTokens }, (tx) =>
    writeAudit(tx, {
      at: clock(),
      actor: ACTOR,
      action: 'user.password',
      resource: user.name,
      details: { reason: `reset on the machine by ${by}` },
    }),
  )
  return { user, ...(password === undefined ? { password: given } : {}) }
}

async function unknownUser(db: Db, name: string): Promise<AppError> {
  const admins = await db.query
    .selectFrom('account')
    .select('name')
    .where('kind', '=', 'user')
    .where('is_admin', '=', 1)
    .orderBy('name')
    .limit(10)
    .execute()
  const names = admins.map((admin) => `"${admin.name}"`).join(', ')
  return new AppError(
    'not_found',
    `there is no user "${name.slice(0, 100)}"; ` +
      (names === '' ? 'nobody is administrator' : `administrators are ${names}`),
  )
}

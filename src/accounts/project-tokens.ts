import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { newSecret } from '../lib/ids.ts'
import { hashSecret } from '../lib/secrets.ts'
import type { Db } from '../store/db/database.ts'
import type { AccountStates } from './account-states.ts'
import { holdLogin } from './hold-login.ts'
import { keepNewest } from './keep-newest.ts'
import type { CredentialRef, Principal } from './principal.ts'

/** Lets secret scanners find leaked ones. */
export const PROJECT_TOKEN_PREFIX = 'epp_'

const LIFETIME_MS = 24 * 3_600_000
/** Scripts fetch one per run and never give it back: the oldest make room. */
const MAX_PER_ACCOUNT = 1_000

export interface IssuedProjectToken {
  token: string
  issuedAt: number
  expiresAt: number
}

export interface ProjectTokens {
  /**
   * A token that stands in for the login for 24 hours, or for as long as that is good.
   * @param project for which alone it is good; null: for all of the account's
   */
  issue(principal: Principal, project: number | null): Promise<IssuedProjectToken>
  /** @throws AppError unauthenticated */
  use(token: string): Promise<{ principal: Principal; project: number | null }>
  /** Whose token it is; undefined: it was none, or is not any more. */
  ownerOf(token: string): Promise<number | undefined>
  revoke(token: string): Promise<void>
  /** Deletes expired ones; returns how many. */
  sweep(): Promise<number>
}

/**
 * What programs made for Keystone get for a password. Ends with it: when the password changes, when
 * the account is disabled, when the robot's secret or the API token that was used is revoked.
 */
export function createProjectTokens(deps: {
  db: Db
  clock: Clock
  states: AccountStates
}): ProjectTokens {
  const { db, clock, states } = deps

  return {
    async issue({ account, login }, project) {
      if (account === null || !login) throw new AppError('unauthenticated', 'sign in first')
      const now = clock()
      const token = `${PROJECT_TOKEN_PREFIX}${newSecret()}`
      const expiresAt = Math.min(now + LIFETIME_MS, login.expiresAt ?? Number.POSITIVE_INFINITY)
      await db.transaction(async (tx) => {
        const isHeld = await holdLogin(db, tx, { account, epoch: login.epoch })
        if (!isHeld) throw refused()
        await tx
          .insertInto('project_token')
          .values({
            account,
            hash: hashSecret(token),
            project,
            epoch: login.epoch,
            ...columnsOf(login.credential),
            created_at: now,
            expires_at: expiresAt,
          })
          .execute()
        await keepNewest(tx, 'project_token', account, MAX_PER_ACCOUNT)
      })
      return { token, issuedAt: now, expiresAt }
    },

    async use(token) {
      const row = await db.query
        .selectFrom('project_token')
        .selectAll()
        .where('hash', '=', hashSecret(token))
        .where('expires_at', '>', clock())
        .executeTakeFirst()
      if (!row) throw refused()
      const credential = credentialOf(row)
      const state = await states.read(row.account, row.epoch, credential)
      if (state?.epoch !== row.epoch) throw refused()
      const { id, kind, name, isAdmin, epoch, expiresAt } = state
      return {
        project: row.project,
        principal: {
          kind,
          account: id,
          name,
          isAdmin,
          login: {
            method: 'project-token',
            epoch,
            ...(credential ? { credential } : {}),
            expiresAt: Math.min(row.expires_at, expiresAt ?? Number.POSITIVE_INFINITY),
          },
        },
      }
    },

    async ownerOf(token) {
      const row = await db.query
        .selectFrom('project_token')
        .select('account')
        .where('hash', '=', hashSecret(token))
        .executeTakeFirst()
      return row?.account
    },

    async revoke(token) {
      await db.transaction((tx) =>
        tx.deleteFrom('project_token').where('hash', '=', hashSecret(token)).execute(),
      )
    },

    async sweep() {
      const deleted = await db.query
        .deleteFrom('project_token')
        .where('expires_at', '<=', clock())
        .returning('id')
        .execute()
      return deleted.length
    },
  }
}

function columnsOf(credential: CredentialRef | undefined) {
  if (credential?.kind === 'api-token' || credential?.kind === 'secret') {
    return { credential_kind: credential.kind, credential: credential.id }
  }
  return { credential_kind: null, credential: null }
}

function credentialOf(row: {
  credential_kind: 'api-token' | 'secret' | null
  credential: number | null
}): CredentialRef | undefined {
  if (row.credential_kind === null || row.credential === null) return undefined
  return { kind: row.credential_kind, id: row.credential }
}

function refused(): AppError {
  return new AppError(
    'unauthenticated',
    'the token is unknown, expired or revoked; get a new one',
    {
      error: 'invalid_token',
    },
  )
}

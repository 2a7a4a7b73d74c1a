import type { Clock } from '../../lib/clock.ts'
import { AppError } from '../../lib/errors.ts'
import { hashSecret } from '../../lib/secrets.ts'
import type { Db } from '../../store/db/database.ts'
import { AWAY_AFTER_MS } from './identity.ts'
import { RUNNER_CREDENTIAL_PREFIX } from './protocol.ts'

/** A runner that came with a good credential. */
export interface RunnerIdentity {
  id: string
  name: string
  /** Thumbprint of its key. */
  keyId: string
  /** Of the credential that it came with. */
  credential: number
  /** When that was made. */
  credentialSince: number
}

export interface RunnerAccess {
  /** @throws AppError unauthenticated */
  authenticate(authorization: string | null): Promise<RunnerIdentity>
  /** Makes the hash of a further credential good; both are until the new one is used. */
  rotate(runner: RunnerIdentity, hash: string): Promise<void>
}

/** `last_seen_at` tells whether one is there, so it is written well before that is doubted. */
const SEEN_GRAIN_MS = 5_000

/** How runners prove themselves. Nothing is kept in the process: a revocation holds at once. */
export function createRunnerAccess({
  db,
  clock,
  whenBack,
}: {
  db: Db
  clock: Clock
  /** One that was away is there again. */
  whenBack?: (runner: string) => Promise<void>
}): RunnerAccess {
  return {
    async authenticate(authorization) {
      const token = /^Bearer +(\S+)$/i.exec(authorization?.trim() ?? '')?.[1] ?? ''
      if (!token.startsWith(RUNNER_CREDENTIAL_PREFIX)) throw unknown()
      const now = clock()
      const row = await db.query
        .selectFrom('runner_credential as c')
        .innerJoin('runner as r', 'r.id', 'c.runner')
        .select(['c.id as credential', 'c.created_at', 'c.first_used_at'])
        .select(['r.id', 'r.name', 'r.key_id', 'r.last_seen_at'])
        .where('c.hash', '=', hashSecret(token))
        .where('r.state', '=', 'enrolled')
        .executeTakeFirst()
      if (!row || row.key_id === null) throw unknown()
      const { id, name, credential } = row
      const seen = row.last_seen_at ?? 0
      const isFirst = row.first_used_at === null
      if (isFirst || now - seen > SEEN_GRAIN_MS) {
        await db.transaction(
          async (tx) => {
            await tx.updateTable('runner').set({ last_seen_at: now }).where('id', '=', id).execute()
            if (!isFirst) return
            await tx
              .updateTable('runner_credential')
              .set({ first_used_at: now })
              .where('id', '=', credential)
              .execute()
            // Whoever uses the new one has it for good.
            await tx
              .deleteFrom('runner_credential')
              .where('runner', '=', id)
              .where('id', '<', credential)
              .execute()
          },
          { durable: isFirst },
        )
      }
      if (now - seen > AWAY_AFTER_MS) await whenBack?.(id)
      return { id, name, keyId: row.key_id, credential, credentialSince: row.created_at }
    },

    async rotate({ id, credential }, hash) {
      try {
        await db.transaction(async (tx) => {
          // First, as everybody does who changes both.
          await db.engine
            .lockRows(tx.selectFrom('runner').select('id').where('id', '=', id), 'keyShare')
            .execute()
          // Revoked, or enrolled anew by another program, since this one was let in.
          const own = await tx
            .selectFrom('runner_credential')
            .select('id')
            .where('id', '=', credential)
            .executeTakeFirst()
          if (!own) throw unknown()
          // One that was never used may have got lost on its way.
          await tx
            .deleteFrom('runner_credential')
            .where('runner', '=', id)
            .where('id', '!=', credential)
            .execute()
          await tx
            .insertInto('runner_credential')
            .values({ runner: id, hash, created_at: clock() })
            .execute()
        })
      } catch (error) {
        if (!db.engine.isUniqueViolation(error)) throw error
        throw new AppError('conflict', 'that credential is in use; make another one', {}, error)
      }
    },
  }
}

function unknown(): AppError {
  return new AppError(
    'unauthenticated',
    'the credential of the runner is unknown or was revoked; enrol it again',
  )
}

import { calculateJwkThumbprint, importJWK } from 'jose'
import type { Clock } from '../../lib/clock.ts'
import { AppError } from '../../lib/errors.ts'
import { newSecret } from '../../lib/ids.ts'
import { because } from '../../lib/reasons.ts'
import { hashSecret } from '../../lib/secrets.ts'
import type { Also, Db, Tx } from '../../store/db/database.ts'
import { lockDefault } from '../registries/default.ts'
import { ENROLMENT_TOKEN_PREFIX, type RunnerPublicKey } from './protocol.ts'
import { failRegistries, newKeyReason } from './registry-health.ts'
import { releaseTasks } from './tasks.ts'

/** Long enough to set a machine up, short enough to be forgotten in a file. */
const TOKEN_LIFE_MS = 24 * 3_600_000

/** What makes a program a runner, once. */
export interface Invitation {
  /** Shown this once. */
  token: string
  expiresAt: number
}

/** A new token; those before it are good no more. */
export async function invite(tx: Tx, runner: string, now: number): Promise<Invitation> {
  const token = `${ENROLMENT_TOKEN_PREFIX}${newSecret()}`
  const expiresAt = now + TOKEN_LIFE_MS
  await tx.deleteFrom('runner_enrolment').where('runner', '=', runner).execute()
  await tx
    .insertInto('runner_enrolment')
    .values({ hash: hashSecret(token), runner, created_at: now, expires_at: expiresAt })
    .execute()
  return { token, expiresAt }
}

/**
 * Makes whoever has the token the runner, with this key and this credential alone. An answer that
 * was lost can be asked for again by the same program.
 * @throws AppError unauthenticated, invalid_input (the key is none)
 */
export async function enrol(
  { db, clock }: { db: Db; clock: Clock },
  {
    token,
    publicKey,
    credentialHash,
    version,
  }: { token: string; publicKey: RunnerPublicKey; credentialHash: string; version: string },
  also?: Also<{ id: string; name: string }>,
): Promise<{ id: string; name: string }> {
  const keyId = await thumbprintOf(publicKey)
  const hash = hashSecret(token)
  // Anybody may come here: who has no token that ever was takes no lock from the others.
  const known = await db.query
    .selectFrom('runner_enrolment')
    .select('runner')
    .where('hash', '=', hash)
    .executeTakeFirst()
  if (!known) throw tokenRefused()
  return db.transaction(async (tx) => {
    await lockDefault(db, tx)
    const now = clock()
    const query = tx.selectFrom('runner_enrolment').selectAll().where('hash', '=', hash)
    const found = await db.engine.lockRows(query, 'update').executeTakeFirst()
    const repeats = found?.used_at !== null && found?.used_by === credentialHash
    if (!found || found.expires_at <= now || (found.used_at !== null && !repeats)) {
      throw tokenRefused()
    }
    const runner = await db.engine
      .lockRows(tx.selectFrom('runner').selectAll().where('id', '=', found.runner), 'update')
      .executeTakeFirstOrThrow()
    const { id, name } = runner
    if (repeats) return { id, name }

    await tx
      .updateTable('runner_enrolment')
      .set({ used_at: now, used_by: credentialHash })
      .where('hash', '=', hash)
      .execute()
    await tx
      .updateTable('runner')
      .set({
        state: 'enrolled',
        public_key: JSON.stringify(publicKey),
        key_id: keyId,
        key_epoch: runner.key_epoch + (runner.key_id === keyId ? 0 : 1),
        version,
        enrolled_at: now,
        revoked_at: null,
        last_seen_at: now,
      })
      .where('id', '=', id)
      .execute()
    await tx.deleteFrom('runner_credential').where('runner', '=', id).execute()
    const inserted = await tx
      .insertInto('runner_credential')
      .values({ runner: id, hash: credentialHash, created_at: now })
      .onConflict((conflict) => conflict.doNothing())
      .returning('id')
      .executeTakeFirst()
    if (!inserted) {
      throw new AppError(
        'invalid_input',
        'another runner has that credential; make one of its own',
        {
          field: 'credentialHash',
        },
      )
    }
    // What the program before was doing goes back.
    await releaseTasks(tx, id)
    await failRegistries(tx, {
      runner: id,
      code: 'SERVER_ERROR',
      reason: newKeyReason(id),
      says: because('runner_new_key', { name: id }).reason,
      now,
      exceptKey: keyId,
    })
    await also?.(tx, { id, name })
    return { id, name }
  })
}

function tokenRefused(): AppError {
  return new AppError(
    'unauthenticated',
    'the enrolment token is unknown, expired or was used; an administrator can make another one',
  )
}

async function thumbprintOf(publicKey: RunnerPublicKey): Promise<string> {
  try {
    await importJWK(publicKey, 'ECDH-ES')
    return await calculateJwkThumbprint(publicKey)
  } catch (error) {
    throw new AppError(
      'invalid_input',
      'the key is no point of P-256',
      { field: 'publicKey' },
      error,
    )
  }
}

import { AppError, type ErrorDetails } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type { Queryable } from '../../store/db/database.ts'
import { LOCAL } from './identity.ts'
import { PublicKey, type RunnerPublicKey } from './protocol.ts'
import { type LoginUse, sealLogin } from './sealed-login.ts'

/** A secret that one runner alone can open, and the id of its key. */
export interface RunnerSecret {
  sealed_secret: string
  runner_key: string
}

/**
 * Encrypts the secret of a registry to its runner.
 * @throws AppError invalid_input when there is no such runner, or it has no key yet
 */
export async function sealToRunner(
  on: Queryable,
  runner: string,
  secret: string,
  use: LoginUse,
): Promise<RunnerSecret> {
  const { publicKey, keyId } = await keyOf(on, runner)
  const sealed = await sealLogin({ publicKey, keyId }, secret, use)
  return { sealed_secret: sealed, runner_key: keyId }
}

async function keyOf(
  on: Queryable,
  runner: string,
): Promise<{ publicKey: RunnerPublicKey; keyId: string }> {
  const row = await on
    .selectFrom('runner')
    .select(['state', 'public_key', 'key_id'])
    .where('id', '=', runner)
    .executeTakeFirst()
  if (!row) throw await unknownRunner(on, runner)
  if (row.state === 'enrolled' && row.public_key !== null && row.key_id !== null) {
    return { publicKey: PublicKey.parse(JSON.parse(row.public_key)), keyId: row.key_id }
  }
  const why = row.state === 'revoked' ? 'was revoked' : 'has not enrolled yet'
  throw invalid(
    `the runner "${runner}" ${why}, so nothing can be encrypted to it`,
    because(row.state === 'revoked' ? 'runner_revoked' : 'runner_not_enrolled', { name: runner }),
  )
}

/**
 * In the transaction that names a runner for a registry: that it is there, serves these projects,
 * and still has the key that the secret was encrypted to. Whoever changes runners or registries
 * locks the row of the default first, so nothing changes until the end.
 * @throws AppError invalid_input, conflict
 */
export async function demandRunner(
  on: Queryable,
  runner: string,
  {
    projects,
    runnerKey,
  }: { projects: 'all' | readonly number[]; runnerKey: string | null | undefined },
): Promise<void> {
  if (runner === LOCAL) return
  const row = await on
    .selectFrom('runner')
    .select(['state', 'key_id', 'project'])
    .where('id', '=', runner)
    .executeTakeFirst()
  if (!row) throw await unknownRunner(on, runner)
  if (row.state === 'revoked') {
    throw invalid(`the runner "${runner}" was revoked`, because('runner_revoked', { name: runner }))
  }
  if (row.project !== null && (projects === 'all' || projects.some((id) => id !== row.project))) {
    throw invalid(
      `the runner "${runner}" serves one project alone, and this registry is for others too`,
      because('runner_other_project', { name: runner }),
    )
  }
  if (runnerKey && runnerKey !== row.key_id) {
    throw new AppError('conflict', `the runner "${runner}" got a new key just now; try again`)
  }
}

/** What may stand for a runner in a registry of this project, `local` first. */
export async function knownRunners(on: Queryable, project?: number): Promise<string[]> {
  let query = on.selectFrom('runner').select('id').where('state', '!=', 'revoked').orderBy('seq')
  if (project !== undefined) {
    query = query.where((eb) => eb.or([eb('project', 'is', null), eb('project', '=', project)]))
  }
  return [LOCAL, ...(await query.execute()).map(({ id }) => id)]
}

async function unknownRunner(on: Queryable, runner: string): Promise<AppError> {
  const known = await knownRunners(on)
  return invalid(
    `there is no runner ${JSON.stringify(runner)}; there are ${known.join(', ')}`,
    because('runner_unknown', { name: runner.slice(0, 128) }),
  )
}

function invalid(message: string, reason: ErrorDetails): AppError {
  return new AppError('invalid_input', message, { field: 'connectClusterId', ...reason })
}

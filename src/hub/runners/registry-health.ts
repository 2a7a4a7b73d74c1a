import type { Says } from '../../lib/reasons.ts'
import { storedSays } from '../../lib/stored-says.ts'
import type { Queryable } from '../../store/db/database.ts'
import type { Row } from '../../store/db/schema.ts'

/**
 * Says of the registries of a runner that they cannot be spoken to, and why: at once, since nobody
 * would find out by a test.
 * @param exceptKey those whose secret is sealed to this key are left alone, and those without one
 */
export async function failRegistries(
  on: Queryable,
  {
    runner,
    code,
    reason,
    says,
    now,
    exceptKey,
  }: {
    runner: string
    code: NonNullable<Row<'registry'>['health_code']>
    reason: string
    says: Says
    now: number
    exceptKey?: string
  },
): Promise<void> {
  let update = on
    .updateTable('registry')
    .set({
      health: 'failing',
      health_reason: reason,
      health_says: storedSays(reason, says),
      health_code: code,
      health_steps: '[]',
      checked_at: now,
    })
    .where('connect_cluster_id', '=', runner)
  if (exceptKey !== undefined) update = update.where('runner_key', '!=', exceptKey)
  await update.execute()
}

/** Why the secret of a registry cannot be opened by the runner that there is now. */
export function newKeyReason(runner: string): string {
  return `the runner "${runner}" has a new key, which cannot open the password; give the password again`
}

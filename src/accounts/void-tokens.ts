import type { Tx } from '../store/db/database.ts'

/**
 * Voids everything that was issued on the strength of the account so far: refresh tokens and sessions
 * at once, registry tokens within the five seconds that processes remember it. The account's row is locked.
 * Never the same value twice, whatever the clocks of replicas say.
 */
export async function voidTokens(
  tx: Tx,
  account: { id: number; valid_after: number },
  now: number,
): Promise<void> {
  await tx
    .updateTable('account')
    .set({ valid_after: Math.max(now, account.valid_after + 1) })
    .where('id', '=', account.id)
    .execute()
  await tx.deleteFrom('refresh_token').where('account', '=', account.id).execute()
  await tx.deleteFrom('project_token').where('account', '=', account.id).execute()
  await tx.deleteFrom('session').where('account', '=', account.id).execute()
}

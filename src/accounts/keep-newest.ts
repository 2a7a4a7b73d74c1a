import type { Tx } from '../store/db/database.ts'

/** Tables of things an account holds several of, numbered in the order they were made. */
type HeldTable = 'session' | 'refresh_token' | 'project_token'

/**
 * Removes an account's oldest rows until `most` are left. An account that signs in without end
 * loses its oldest sign-ins rather than being refused, so that a forgotten script locks nobody out.
 */
export async function keepNewest(
  tx: Tx,
  table: HeldTable,
  account: number,
  most: number,
): Promise<void> {
  const oldestKept = await tx
    .selectFrom(table)
    .select('id')
    .where('account', '=', account)
    .orderBy('id', 'desc')
    .offset(most - 1)
    .limit(1)
    .executeTakeFirst()
  if (!oldestKept) return
  await tx
    .deleteFrom(table)
    .where('account', '=', account)
    .where('id', '<', oldestKept.id)
    .execute()
}

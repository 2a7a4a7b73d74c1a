import type { Db, Tx } from '../store/db/database.ts'

/**
 * Holds an account as it was proven until the transaction ends: a password changed meanwhile must
 * not leave behind what is issued on the strength of the former one. False: it has changed since,
 * or was disabled.
 */
export async function holdLogin(
  { engine }: Pick<Db, 'engine'>,
  tx: Tx,
  { account, epoch }: { account: number; epoch: number },
): Promise<boolean> {
  const query = tx
    .selectFrom('account')
    .select('id')
    .where('id', '=', account)
    .where('valid_after', '=', epoch)
    .where('disabled', '=', 0)
  return (await engine.lockRows(query, 'share').executeTakeFirst()) !== undefined
}

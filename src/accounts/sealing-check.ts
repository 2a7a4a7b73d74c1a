import { AppError } from '../lib/errors.ts'
import type { Sealer } from '../lib/secrets.ts'
import type { Db } from '../store/db/database.ts'

const SETTING = 'sealing_key'

/**
 * Refuses to start with another sealing key than the one that sealed what is in the database:
 * better than finding out secret by secret. The first start writes the key's fingerprint down.
 */
export async function checkSealingKey(db: Db, sealer: Sealer): Promise<void> {
  const stored = () =>
    db.query.selectFrom('setting').select('value').where('key', '=', SETTING).executeTakeFirst()
  if (!(await stored())) {
    await db.query
      .insertInto('setting')
      .values({ key: SETTING, value: sealer.keyId })
      .onConflict((conflict) => conflict.column('key').doNothing())
      .execute()
  }
  const row = await stored()
  if (row?.value === sealer.keyId) return
  throw new AppError(
    'internal',
    `the sealing key is not the one that this database was set up with (${sealer.keyId} instead ` +
      `of ${row?.value}): set ENTREPOT_SEALING_KEY or put the file sealing.key of the data folder ` +
      'back; without it the secrets in the database cannot be read',
  )
}

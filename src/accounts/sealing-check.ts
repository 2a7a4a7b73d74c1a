import { AppError } from '../lib/errors.ts'
import { hasSealingKey, type Sealer, type SealingKeySource } from '../lib/secrets.ts'
import type { Db } from '../store/db/database.ts'
import { hasTable } from '../store/db/tables.ts'

const SETTING = 'sealing_key'

/**
 * Refuses to start with another sealing key than the one that sealed what is in the database:
 * better than finding out secret by secret. The first start writes the key's fingerprint down.
 */
export async function checkSealingKey(db: Db, sealer: Sealer): Promise<void> {
  if (!(await stored(db))) {
    await db.query
      .insertInto('setting')
      .values({ key: SETTING, value: sealer.keyId })
      .onConflict((conflict) => conflict.column('key').doNothing())
      .execute()
  }
  const row = await stored(db)
  if (row?.value === sealer.keyId) return
  throw new AppError(
    'internal',
    `the sealing key is not the one that this database was set up with (${sealer.keyId} instead ` +
      `of ${row?.value}): set ENTREPOT_SEALING_KEY or put the file sealing.key of the data folder ` +
      'back; without it the secrets in the database cannot be read',
  )
}

/**
 * Refuses to make a new sealing key where the database was set up with one that is missing now.
 * Before the schema is brought up to date.
 */
export async function demandSealingKey(db: Db, source: SealingKeySource): Promise<void> {
  if (hasSealingKey(source) || !(await hasTable(db, 'setting'))) return
  const row = await stored(db)
  if (!row) return
  throw new AppError(
    'internal',
    `the sealing key is missing: this database was set up with one (${row.value}), but ` +
      `ENTREPOT_SEALING_KEY is not set and there is no file sealing.key in ${source.dataFolder}; put ` +
      'it back, since without it the secrets in the database cannot be read',
  )
}

function stored(db: Db) {
  return db.query
    .selectFrom('setting')
    .select('value')
    .where('key', '=', SETTING)
    .executeTakeFirst()
}

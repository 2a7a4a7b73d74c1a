import { demandSealingKey } from '../accounts/sealing-check.ts'
import type { Config } from '../lib/config.ts'
import { checkDatabasePlace } from '../registry/place-check.ts'
import { databaseOf, openDatabase } from '../store/db/open.ts'

/**
 * Whether the settings fit the installation, before anything is made or changed.
 * @throws AppError with a sentence for whoever wrote the settings
 */
export async function examine(config: Config): Promise<void> {
  const db = await openDatabase(databaseOf(config, 'upkeep'))
  try {
    await db.prove()
    await checkDatabasePlace(config, db)
    await demandSealingKey(db, { value: config.sealingKey, dataFolder: config.data })
  } finally {
    await db.close()
  }
}

import { existsSync } from 'node:fs'
import type { Config } from '../../lib/config.ts'
import { AppError } from '../../lib/errors.ts'
import type { Db } from './database.ts'
import { demandMigrated } from './migrate.ts'
import { databaseOf, openDatabase, sqliteFile } from './open.ts'

/**
 * The database of an installation that was started before, beside its server if it runs.
 * @throws AppError invalid_input when there is none, conflict when this program cannot use it as
 *   it is, unavailable
 */
export async function openExisting(config: Pick<Config, 'data' | 'database'>): Promise<Db> {
  // Opening would make an empty one.
  if (config.database.url === undefined && !existsSync(sqliteFile(config.data))) {
    throw noInstallation(config.data)
  }
  const db = await openDatabase({ ...databaseOf(config, 'upkeep'), checkpoints: false })
  try {
    await db.prove()
    await demandMigrated(db)
    return db
  } catch (error) {
    await db.close()
    throw error
  }
}

/** What somebody reads who named the wrong folder, or started nothing in it yet. */
export function noInstallation(folder: string): AppError {
  return new AppError(
    'invalid_input',
    `there is no Entrepot in the folder ${folder}; name its data folder with --data or ENTREPOT_DATA`,
  )
}

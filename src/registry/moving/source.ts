import { existsSync } from 'node:fs'
import type { Config } from '../../lib/config.ts'
import { AppError } from '../../lib/errors.ts'
import type { Db } from '../../store/db/database.ts'
import { demandMigrated, executedMigrations, MIGRATION_NAMES } from '../../store/db/migrate.ts'
import { databaseOf, openDatabase, sqliteFile } from '../../store/db/open.ts'
import { connectedServers } from '../../store/db/tables.ts'

/** How PostgreSQL shows this program, to tell it from servers. */
const NAME = 'entrepot migrate'

/**
 * The database of the installation that the settings name.
 * @param mustStand no server works in it, as far as that can be asked
 * @throws AppError conflict, invalid_input with what to do first
 */
export async function openSource(
  config: Config,
  { mustStand }: { mustStand: boolean },
): Promise<Db> {
  const { url } = config.database
  // Opening would make an empty one.
  if (url === undefined && !existsSync(sqliteFile(config.data))) {
    throw new AppError(
      'invalid_input',
      `there is nothing to move: no database in the folder ${config.data}; the settings must be ` +
        'those of the installation as it is now (--data, ENTREPOT_DATABASE_URL, …)',
    )
  }
  const db = await openNamed(config, url)
  try {
    await db.prove()
    await demandThisVersion(db)
    if (mustStand) await demandStanding(db)
    return db
  } catch (error) {
    await db.close()
    throw error
  }
}

/** The database to move to; it may not be there before. */
export async function openTarget(config: Config, url: string | undefined): Promise<Db> {
  const db = await openNamed(config, url)
  try {
    await db.prove()
    return db
  } catch (error) {
    await db.close()
    throw error
  }
}

function openNamed(config: Config, url: string | undefined): Promise<Db> {
  const options = databaseOf({ ...config, database: { ...config.database, url } }, 'upkeep')
  return openDatabase({ ...options, limits: { ...options.limits, name: NAME } })
}

async function demandThisVersion(db: Db): Promise<void> {
  await demandMigrated(db)
  const executed = await executedMigrations(db)
  if (executed.length > MIGRATION_NAMES.length) {
    throw new AppError(
      'conflict',
      'a newer version of Entrepot was last run on the database: move with that one',
    )
  }
}

async function demandStanding(db: Db): Promise<void> {
  const servers = await connectedServers(db)
  if (servers > 0) {
    throw new AppError(
      'conflict',
      `servers of Entrepot are connected to this database (${servers} connections): stop them all, ` +
        'since only what stands still can be copied',
    )
  }
}

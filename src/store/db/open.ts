import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../../lib/config.ts'
import { AppError } from '../../lib/errors.ts'
import { describeMachineFailure } from '../../lib/machine-failure.ts'
import type { Db } from './database.ts'
import type { PostgresLimits } from './postgres.ts'
import { openSqlite } from './sqlite.ts'

export interface DatabaseOptions {
  /** `postgres://…`; without it SQLite in the data folder. */
  url?: string | undefined
  dataFolder: string
  /** As of `SqliteOptions`. */
  checkpoints?: boolean
  limits?: PostgresLimits
}

/**
 * Opens the database that the settings name; the code of PostgreSQL is loaded where it is used.
 * @throws AppError unavailable where the file of SQLite cannot be used
 */
export async function openDatabase(options: DatabaseOptions): Promise<Db> {
  const { url, dataFolder, checkpoints, limits } = options
  if (url) {
    const { openPostgres } = await import('./postgres.ts')
    return openPostgres({ url, ...limits })
  }
  const file = sqliteFile(dataFolder)
  try {
    mkdirSync(dataFolder, { recursive: true, mode: 0o700 })
    return openSqlite({ file, ...(checkpoints === undefined ? {} : { checkpoints }) })
  } catch (error) {
    const why = describeMachineFailure(error)
    if (why === undefined) throw error
    throw new AppError('unavailable', `the database ${file} cannot be used: ${why}`, {}, error)
  }
}

/** Where SQLite keeps the database of a data folder. */
export function sqliteFile(dataFolder: string): string {
  return join(dataFolder, 'entrepot.db')
}

/** Who uses a database: `upkeep` is what may take as long as it likes, such as migrations. */
export type DatabaseUse = 'requests' | 'jobs' | 'upkeep'

/** The database that the settings name, with the limits for its use. */
export function databaseOf(config: Pick<Config, 'data' | 'database'>, use: DatabaseUse) {
  const { url, connectTimeout, waitTimeout, idleTransactionTimeout } = config.database
  const { poolSize, jobsPoolSize, statementTimeout, jobsStatementTimeout } = config.database
  const limits: PostgresLimits = {
    connectTimeoutMs: connectTimeout,
    waitTimeoutMs: waitTimeout,
    ...{
      requests: { poolSize, statementTimeoutMs: statementTimeout },
      jobs: { poolSize: jobsPoolSize, statementTimeoutMs: jobsStatementTimeout },
      upkeep: { poolSize: 4 },
    }[use],
    ...(use === 'upkeep' ? {} : { idleTransactionTimeoutMs: idleTransactionTimeout }),
  }
  return { url, dataFolder: config.data, limits }
}

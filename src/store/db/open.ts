import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Db } from './database.ts'
import { openPostgres } from './postgres.ts'
import { openSqlite } from './sqlite.ts'

export interface DatabaseOptions {
  /** `postgres://…`; without it SQLite in the data folder. */
  url?: string | undefined
  dataFolder: string
  /** As of `SqliteOptions`. */
  checkpoints?: boolean
}

/** Opens the database that the settings name. */
export function openDatabase({ url, dataFolder, checkpoints }: DatabaseOptions): Db {
  if (url) return openPostgres({ url })
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 })
  return openSqlite({
    file: join(dataFolder, 'entrepot.db'),
    ...(checkpoints === undefined ? {} : { checkpoints }),
  })
}

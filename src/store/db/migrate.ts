import { Migrator } from 'kysely/migration'
import { AppError } from '../../lib/errors.ts'
import type { Db } from './database.ts'
import { registry } from './migrations/0001-registry.ts'
import { artifacts } from './migrations/0002-artifacts.ts'
import { listCounters } from './migrations/0003-list-counters.ts'
import { charts } from './migrations/0004-charts.ts'
import { hub } from './migrations/0005-hub.ts'
import { accessKeys } from './migrations/0006-access-keys.ts'
import { transfers } from './migrations/0007-transfers.ts'
import { sessions } from './migrations/0010-sessions.ts'
import { tagOrder } from './migrations/0010-tag-order.ts'
import { uploadHash } from './migrations/0030-upload-hash.ts'
import { inventory } from './migrations/0031-inventory.ts'
import { usage } from './migrations/0038-usage.ts'
import { runners } from './migrations/0032-runners.ts'
import { liveChanges } from './migrations/0035-live-changes.ts'

/** In the order of their numbers; a static map, so that they survive bundling. */
const MIGRATIONS = {
  '0001-registry': registry,
  '0002-artifacts': artifacts,
  '0003-list-counters': listCounters,
  '0004-charts': charts,
  '0005-hub': hub,
  '0006-access-keys': accessKeys,
  '0007-transfers': transfers,
  '0010-sessions': sessions,
  '0010-tag-order': tagOrder,
  '0030-upload-hash': uploadHash,
  '0031-inventory': inventory,
  '0032-runners': runners,
  '0035-live-changes': liveChanges,
  '0038-usage': usage,
}

export const MIGRATION_NAMES = Object.keys(MIGRATIONS)

/**
 * Brings the schema up to date. Safe to call from any number of processes at once: Kysely's
 * migrator takes a lock (a table on SQLite, an advisory lock on PostgreSQL).
 */
export async function migrate(db: Db): Promise<void> {
  const migrations = Object.fromEntries(
    Object.entries(MIGRATIONS).map(([name, up]) => [
      name,
      { up: (kysely: Parameters<typeof up>[0]) => up(kysely, db.engine) },
    ]),
  )
  const migrator = new Migrator({
    db: db.query,
    provider: { getMigrations: async () => migrations },
  })
  const { error } = await migrator.migrateToLatest()
  if (error) {
    throw new AppError(
      'internal',
      `the database could not be brought up to date: ${error}`,
      {},
      error,
    )
  }
}

import { sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { AppError, isAppError } from '../../lib/errors.ts'
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
import { runners } from './migrations/0032-runners.ts'
import { inventoryReading } from './migrations/0033-inventory-reading.ts'
import { journal } from './migrations/0034-journal.ts'
import { liveChanges } from './migrations/0035-live-changes.ts'
import { registryPlaces } from './migrations/0037-registry-places.ts'
import { usage } from './migrations/0038-usage.ts'
import { inventoryTags } from './migrations/0041-inventory-tags.ts'
import { reasons } from './migrations/0048-reasons.ts'
import { openUploads } from './migrations/0049-open-uploads.ts'
import { jobReasons } from './migrations/0050-job-reasons.ts'
import { isLockTimeout } from './postgres-errors.ts'
import { hasTable } from './tables.ts'

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
  '0033-inventory-reading': inventoryReading,
  '0034-journal': journal,
  '0035-live-changes': liveChanges,
  '0037-registry-places': registryPlaces,
  '0038-usage': usage,
  '0041-inventory-tags': inventoryTags,
  '0048-reasons': reasons,
  '0049-open-uploads': openUploads,
  '0050-job-reasons': jobReasons,
}

export const MIGRATION_NAMES = Object.keys(MIGRATIONS)

/**
 * Ends the names of migrations after which a program that lacks them can no longer work: they drop,
 * rename or tighten something. All others only add, so that the version before goes on beside the
 * new one during an upgrade, and can be gone back to. What is no longer used is dropped one version
 * after the last that used it.
 */
const CONTRACT = '.contract'

const LOCK_ATTEMPTS = 30

/**
 * Brings the schema up to date. Safe to call from any number of processes at once: Kysely's
 * migrator takes a lock (a table on SQLite, an advisory lock on PostgreSQL). A database that a newer
 * version brought up to date is taken as it is, where that version's migrations allow it.
 *
 * @throws AppError `conflict` when the database is too new for this program
 */
export async function migrate(db: Db, known: readonly string[] = MIGRATION_NAMES): Promise<void> {
  if (await isNewer(db, known)) return
  const migrations = Object.fromEntries(
    Object.entries(MIGRATIONS)
      .filter(([name]) => known.includes(name))
      .map(([name, up]) => [
        name,
        { up: (kysely: Parameters<typeof up>[0]) => up(kysely, db.engine) },
      ]),
  )
  const migrator = new Migrator({
    db: db.query,
    provider: { getMigrations: async () => migrations },
  })
  for (let attempt = 1; ; attempt++) {
    const { error } = await migrator.migrateToLatest()
    if (error === undefined) return
    // Whoever reads and writes meanwhile goes first: one that waits for a table holds up all others.
    if (isLockTimeout(error) && attempt < LOCK_ATTEMPTS) {
      await Bun.sleep(500 + Math.random() * 500)
      continue
    }
    if (isAppError(error)) throw error
    throw new AppError(
      'internal',
      `the database could not be brought up to date: ${error}`,
      {},
      error,
    )
  }
}

/** Migrations that the database went through, in their order; none where it was never set up. */
export async function executedMigrations(db: Db): Promise<string[]> {
  if (!(await hasTable(db, 'kysely_migration'))) return []
  const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db.query)
  return rows.map(({ name }) => name).sort()
}

/**
 * For those who work on a database without bringing it up to date.
 * @throws AppError invalid_input, conflict when this program cannot use it as it is
 */
export async function demandMigrated(db: Db): Promise<void> {
  const executed = await executedMigrations(db)
  if (executed.length === 0) {
    throw new AppError(
      'invalid_input',
      'the database was never set up: no Entrepot was started on it',
    )
  }
  if ((await isNewer(db, MIGRATION_NAMES)) || executed.length === MIGRATION_NAMES.length) return
  throw new AppError(
    'conflict',
    'an older version of Entrepot was last run on the database: start this one on it once',
  )
}

/**
 * True: it has migrations that this program does not know, and allows it to go on.
 * @throws AppError `conflict` when it does not
 */
async function isNewer(db: Db, known: readonly string[]): Promise<boolean> {
  const executed = await executedMigrations(db)
  const unknown = executed.filter((name) => !known.includes(name))
  if (unknown.length === 0) return false
  const isComplete = known.every((name) => executed.includes(name))
  if (isComplete && !unknown.some((name) => name.endsWith(CONTRACT))) return true
  throw new AppError(
    'conflict',
    `a newer version of Entrepot has changed the database so that this one cannot use it (by ` +
      `${unknown.join(', ')}); start that version, or restore the backup from before the upgrade`,
  )
}

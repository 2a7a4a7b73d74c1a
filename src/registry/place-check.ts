import { Database } from 'bun:sqlite'
import { existsSync } from 'node:fs'
import type { Config } from '../lib/config.ts'
import { AppError } from '../lib/errors.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import type { Db } from '../store/db/database.ts'
import { sqliteFile } from '../store/db/open.ts'
import { hasTable, MOVE_LOG } from '../store/db/tables.ts'
import { createInstallation, storedInstallationId } from './installation.ts'
import { storedBlobs } from './moving/copy-blobs.ts'
import {
  type DatabasePlace,
  databasePlaceOf,
  isSameStorage,
  nameOfDatabase,
  nameOfStorage,
  readMarker,
  type StoragePlace,
  storagePlaceOf,
  writeMarker,
} from './places.ts'
import { checkStorageMark, forgetStorageMark } from './storage-mark.ts'
import { storagePlace } from './storage-place.ts'

/*
 * Settings that name another database or another storage than the installation has would start an
 * empty one, or show images whose bytes are elsewhere. The database remembers its storage, the data
 * folder its database; what was set up before they did is written down at the next start.
 */

/** So many of the latest blobs are looked for. */
const SAMPLE = 5

/**
 * Sees that the database is the one of this data folder, before anything is written to it.
 * @throws AppError conflict
 */
export async function checkDatabasePlace(config: Config, db: Db): Promise<void> {
  if (await hasTable(db, MOVE_LOG)) {
    throw new AppError(
      'conflict',
      'a move into this database was not finished: run "entrepot migrate" again, with the settings ' +
        'from before the move',
    )
  }
  const ours = databasePlaceOf(config)
  const { place, installation } = await rememberedDatabase(config)
  if (place === undefined || place === ours) return
  const found = (await hasTable(db, 'setting')) ? await storedInstallationId(db.query) : undefined
  const isPostgres = place !== 'sqlite' && ours !== 'sqlite'
  // It answers to another name now, or was restored elsewhere.
  if (isPostgres && found !== undefined && found === installation) return
  // Without a marker it is only known that there was SQLite once; the other one may be the later.
  if (installation === undefined && found !== undefined) return
  const state = found === undefined ? 'has nothing in it yet' : 'holds something else, or is older'
  const target = ours === 'sqlite' ? 'sqlite' : 'postgres://…'
  throw new AppError(
    'conflict',
    `the installation of the data folder ${config.data} has its database in ${nameOfDatabase(place)}, ` +
      `but the settings name ${nameOfDatabase(ours)}, which ${state}: move it there with "entrepot ` +
      `migrate --to-database ${target}" under the former settings, or go back to them; to begin anew, ` +
      'use another data folder',
  )
}

async function rememberedDatabase(
  config: Config,
): Promise<{ place?: DatabasePlace; installation?: string }> {
  const marker = await readMarker(config.data)
  if (marker) return { place: marker.database, installation: marker.installation }
  return isSetUp(sqliteFile(config.data)) ? { place: 'sqlite' } : {}
}

/** SQLite was used in this folder. */
function isSetUp(file: string): boolean {
  if (!existsSync(file)) return false
  const database = new Database(file, { readonly: true })
  try {
    return database.query('select 1 from account limit 1').get() !== null
  } catch {
    return false
  } finally {
    database.close()
  }
}

/**
 * Sees that the storage is the one that holds the blobs of the database, and writes down where all
 * is. The schema is up to date.
 * @throws AppError conflict
 */
export async function checkStoragePlace(config: Config, db: Db, store: BlobStore): Promise<void> {
  const ours = storagePlaceOf(config)
  const known = await storagePlace(db).read()
  const sample = await storedBlobs(db).clearOrderBy().orderBy('id', 'desc').limit(SAMPLE).execute()
  if (sample.length > 0) {
    if (known && !isSameStorage(known, ours)) throw isElsewhere(known, ours)
    if (needsLook(config, known, ours) && !(await hasSome(store, sample))) {
      throw new AppError(
        'conflict',
        `the storage that the settings name (${describe(ours)}) has none of the latest ` +
          `${sample.length} blobs of this installation: name the one that has them; to move them, ` +
          'see "entrepot migrate"',
      )
    }
  }
  // Not before: whoever has none of the blobs must not be the one to mark its folder.
  await checkStorageMark(config, db)
  if (JSON.stringify(known) !== JSON.stringify(ours)) {
    await db.transaction(async (tx) => {
      if (ours.driver !== 'file') await forgetStorageMark(tx)
      await storagePlace(db).write(tx, ours)
    })
  }
  await writeMarker(config.data, {
    installation: await createInstallation({ db }).id(),
    database: databasePlaceOf(config),
    storage: nameOfStorage(ours),
  })
}

/** Where the names alone do not tell: another folder, or the same bucket of another server. */
function needsLook(config: Config, known: StoragePlace | undefined, ours: StoragePlace): boolean {
  if (ours.driver === 'file') return config.database.url !== undefined
  return JSON.stringify(known) !== JSON.stringify(ours)
}

async function hasSome(store: BlobStore, sample: readonly { key: string }[]): Promise<boolean> {
  for (const { key } of sample) if ((await store.size(key)) !== undefined) return true
  return false
}

function isElsewhere(known: StoragePlace, ours: StoragePlace): AppError {
  return new AppError(
    'conflict',
    `the blobs of this installation are in ${describe(known)}, but the settings name ` +
      `${describe(ours)}: move them there with "entrepot migrate --to-storage ${nameOfStorage(ours)}" ` +
      'under the former settings, or go back to them',
  )
}

function describe(place: StoragePlace): string {
  return place.driver === 'file' ? 'files in the data folder' : nameOfStorage(place)
}

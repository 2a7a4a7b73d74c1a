import type { Config } from '../../lib/config.ts'
import { AppError } from '../../lib/errors.ts'
import { takeFolderLock } from '../../lib/folder-lock.ts'
import { openBlobStore } from '../../store/blobs/open.ts'
import type { Db, Tx } from '../../store/db/database.ts'
import { hasTable, MOVE_LOG, resumeTriggers } from '../../store/db/tables.ts'
import { openJournalStore } from '../../store/journal/journal-store.ts'
import { createInstallation } from '../installation.ts'
import {
  databasePlaceOf,
  isSameStorage,
  nameOfDatabase,
  nameOfStorage,
  storagePlaceOf,
  writeMarker,
} from '../places.ts'
import { forgetStorageMark } from '../storage-mark.ts'
import { storagePlace } from '../storage-place.ts'
import { copyBlobs, demandEmpty, storedBlobs } from './copy-blobs.ts'
import { copyJournal } from './copy-journal.ts'
import { copyRows, type RowsReport, sumOfTables } from './copy-rows.ts'
import { type MoveLog, openMoveLog } from './move-log.ts'
import { readState, removeState, writeState } from './move-state.ts'
import { openSource, openTarget } from './source.ts'

/** In the table `setting` of a database into which an installation was moved. */
const MOVED_SETTING = 'installation.moved'
/** And the checksum of what it was moved from, so that it is told when that was used since. */
const MOVED_SUM_SETTING = 'installation.moved-sum'

export interface MoveOptions {
  /** The settings as they will be; what differs from those in effect is moved. */
  target: Config
  /** Blobs that are copied at once. */
  parallel: number
  /** Copies all rows again, since the former database was used after a move had begun. */
  startOver: boolean
  /** Finishes although blobs of the former store are damaged. */
  leaveDamaged: boolean
  onProgress(progress: MoveProgress): void
}

export type MoveProgress =
  | { part: 'rows'; table: string; tables: number; tablesDone: number; rows: number }
  | { part: 'blobs'; blobs: number; bytes: number; allBlobs: number; allBytes: number }

export interface MoveReport {
  /** undefined: the database stays, or was moved before. */
  rows: RowsReport | undefined
  /** undefined: the blobs stay, or were moved before. */
  blobs: { blobs: number; bytes: number; damaged: string[] } | undefined
  /** An earlier run did it all. */
  wasDone: boolean
}

/**
 * Moves an installation that stands still to another database, another storage, or both. Changes
 * nothing in what it moves from; a run that was killed is gone on with by the next one.
 * @throws AppError conflict, invalid_input, unavailable with a sentence on what to do
 */
export async function moveInstallation(config: Config, options: MoveOptions): Promise<MoveReport> {
  const { target } = options
  const lock = lockFolder(config.data)
  const opened: Db[] = []
  try {
    const source = await openSource(config, { mustStand: true })
    opened.push(source)
    const installation = await createInstallation({ db: source }).id()
    let database: Db | undefined
    if (databasePlaceOf(target) !== databasePlaceOf(config)) {
      database = await openTarget(config, target.database.url)
      opened.push(database)
    }
    const report = await moveBetween({ config, source, database, installation, options })
    await writeMarker(config.data, {
      installation,
      database: databasePlaceOf(target),
      storage: nameOfStorage(storagePlaceOf(target)),
    })
    await removeState(config.data)
    return report
  } finally {
    for (const db of opened.toReversed()) await db.close()
    lock.release()
  }
}

function lockFolder(folder: string) {
  try {
    return takeFolderLock(folder)
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'conflict') throw error
    throw new AppError(
      'conflict',
      `Entrepot runs with the data folder ${folder}: stop it first, since only what stands still ` +
        'can be copied',
      {},
      error,
    )
  }
}

interface Move {
  config: Config
  source: Db
  /** undefined: the database stays. */
  database: Db | undefined
  installation: string
  options: MoveOptions
}

async function moveBetween(move: Move): Promise<MoveReport> {
  const { config, source, database, installation, options } = move
  const { target } = options
  const movesStorage = !isSameStorage(storagePlaceOf(config), storagePlaceOf(target))
  const isDone = database
    ? await wasMoved(source, database, { installation, config, target })
    : isSameStorage(
        (await storagePlace(source).read()) ?? storagePlaceOf(config),
        storagePlaceOf(target),
      )
  if (isDone) return { rows: undefined, blobs: undefined, wasDone: true }

  const log = database && (await openMoveLog(database, installation))
  if (options.startOver) await log?.startOver()
  const blobs = movesStorage ? await moveBlobs(move) : undefined
  if (blobs && blobs.damaged.length > 0 && !options.leaveDamaged) {
    throw new AppError(
      'conflict',
      `${blobs.damaged.length} blobs are damaged where they are now:\n  ${blobs.damaged.slice(0, 20).join('\n  ')}\n` +
        'all others were copied. Put them right and run this again, or finish without them with ' +
        '--leave-damaged: the images that need them cannot be pulled, as they cannot now',
    )
  }
  const rows =
    database && log
      ? await copyRows({
          source,
          target: database,
          log,
          onProgress: (progress) => options.onProgress({ part: 'rows', ...progress }),
        })
      : undefined
  await finish(move, { log, movesStorage, sum: rows?.sum })
  return { rows, blobs, wasDone: false }
}

/**
 * True: a former run was killed after it had finished, or did not need to be followed by another.
 * @throws AppError conflict when it moved the database alone, which may have been used since, and
 *   when the former database was
 */
async function wasMoved(
  source: Db,
  database: Db,
  { installation, config, target }: { installation: string; config: Config; target: Config },
): Promise<boolean> {
  if (!(await hasTable(database, 'setting')) || (await hasTable(database, MOVE_LOG))) return false
  const rows = await database.query
    .selectFrom('setting')
    .select(['key', 'value'])
    .where('key', 'in', [MOVED_SETTING, MOVED_SUM_SETTING])
    .execute()
  const settings = new Map(rows.map(({ key, value }) => [key, value]))
  if (settings.get(MOVED_SETTING) !== installation) return false
  if (settings.get(MOVED_SUM_SETTING) !== (await sumOfTables(source, database))) {
    throw new AppError(
      'conflict',
      'the installation was moved into this database before, and the former one is not as it was then: ' +
        'what changed there since is not in this one. Start with the settings of the one that is right; ' +
        'to move again, name an empty database',
    )
  }
  const storage = (await storagePlace(database).read()) ?? storagePlaceOf(config)
  if (isSameStorage(storage, storagePlaceOf(target))) return true
  throw new AppError(
    'conflict',
    'the database was moved before: move the storage with the new ENTREPOT_DATABASE_URL among the ' +
      'settings, and without --to-database',
  )
}

async function moveBlobs({ config, source, options }: Move) {
  const { target, parallel } = options
  const place = storagePlaceOf(target)
  const name = nameOfStorage(place) + ('endpoint' in place ? ` ${place.endpoint}` : '')
  const from = await openBlobStore(config)
  const to = await openBlobStore({ data: config.data, storage: target.storage })
  await from.prove()
  await to.prove()
  const found = await readState(config.data)
  const state = found?.to === name ? found : { to: name, after: 0, damaged: [] }
  if (state !== found) {
    await demandEmpty(to)
    await writeState(config.data, state)
  }
  const all = await sumOfBlobs(source)
  const damaged = await copyBlobs({
    db: source,
    from,
    to,
    parallel,
    after: state.after,
    damaged: state.damaged,
    noteDone: (after, ids) => writeState(config.data, { to: name, after, damaged: [...ids] }),
    onProgress: (progress) =>
      options.onProgress({ part: 'blobs', ...progress, allBlobs: all.blobs, allBytes: all.bytes }),
  })
  await copyJournal(
    await openJournalStore(config),
    await openJournalStore({ data: config.data, storage: target.storage }),
  )
  return {
    blobs: all.blobs - damaged.length,
    bytes: all.bytes,
    damaged: damaged.map(({ problem }) => problem),
  }
}

/** Blobs outside of the database. */
export async function sumOfBlobs(db: Db): Promise<{ blobs: number; bytes: number }> {
  return storedBlobs(db)
    .clearSelect()
    .clearOrderBy()
    .select(({ fn, val }) => [
      fn.countAll<number>().as('blobs'),
      fn.coalesce(fn.sum<number>('size'), val(0)).as('bytes'),
    ])
    .executeTakeFirstOrThrow()
}

/** All at once: from here on the installation is where it was moved to. */
async function finish(
  { source, database, installation, options }: Move,
  {
    log,
    movesStorage,
    sum,
  }: { log: MoveLog | undefined; movesStorage: boolean; sum: string | undefined },
): Promise<void> {
  const db = database ?? source
  const triggers: string[] = JSON.parse((await log?.get('triggers')) ?? '[]')
  await db.transaction(async (tx) => {
    await resumeTriggers(tx, triggers)
    if (movesStorage) {
      await discardUploads(tx)
      await forgetStorageMark(tx)
      await storagePlace(db).write(tx, storagePlaceOf(options.target))
    }
    if (!log || sum === undefined) return
    await log.drop(tx)
    for (const [key, value] of [
      [MOVED_SETTING, installation],
      [MOVED_SUM_SETTING, sum],
    ] as const) {
      await tx
        .insertInto('setting')
        .values({ key, value })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
        .execute()
    }
  })
}

/** Unfinished bytes stay where they are; clients send them again. */
async function discardUploads(tx: Tx): Promise<void> {
  await tx
    .updateTable('upload')
    .set({ state: 'discarded' })
    .where('offset', '>', 0)
    .where('buffer', 'is', null)
    .execute()
}

/** For people: from where to where. */
export function describeMove(config: Config, target: Config): string[] {
  const database = [config, target].map((one) => nameOfDatabase(databasePlaceOf(one)))
  const storage = [config, target].map((one) => nameOfStorage(storagePlaceOf(one)))
  return [
    database[0] === database[1]
      ? `database: stays, ${database[0]}`
      : `database: ${database.join(' → ')}`,
    storage[0] === storage[1] ? `storage: stays, ${storage[0]}` : `storage: ${storage.join(' → ')}`,
  ]
}

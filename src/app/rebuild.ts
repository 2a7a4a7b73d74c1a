import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createChartRecorder } from '../charts/recorder.ts'
import { systemClock } from '../lib/clock.ts'
import type { Config } from '../lib/config.ts'
import { AppError } from '../lib/errors.ts'
import { takeFolderLock } from '../lib/folder-lock.ts'
import { createLog } from '../lib/log.ts'
import {
  type RebuildDeps,
  type RebuildOptions,
  type RebuildReport,
  rebuild,
} from '../registry/journal/rebuild/rebuild.ts'
import { openBlobStore } from '../store/blobs/open.ts'
import type { Db } from '../store/db/database.ts'
import { migrate } from '../store/db/migrate.ts'
import { databaseOf, openDatabase } from '../store/db/open.ts'
import { openJournalStore } from '../store/journal/journal-store.ts'

/**
 * Makes the database that the settings name anew, out of the storage that they name.
 * @throws AppError with a sentence on what stands in the way
 */
export async function rebuildInstallation(
  config: Config,
  options: Omit<RebuildOptions, 'sparse'> & { dryRun: boolean },
  tell: Pick<RebuildDeps, 'onLost' | 'onProgress'>,
): Promise<RebuildReport> {
  const { dryRun } = options
  // Opening it would make an empty one, in which there is no journal.
  if (config.storage.driver === 'file' && !existsSync(join(config.data, 'blobs'))) {
    throw new AppError(
      'invalid_input',
      `there are no blobs in the folder ${config.data}; name the data folder with --data or ENTREPOT_DATA`,
    )
  }
  const lock = dryRun ? undefined : takeFolderLock(config.data)
  let db: Db | undefined
  try {
    const store = await openBlobStore(config)
    const journal = await openJournalStore(config)
    if (!dryRun) {
      db = await openDatabase({ ...databaseOf(config, 'upkeep'), checkpoints: true })
      await migrate(db)
    }
    const log = createLog({ level: config.log.level, format: 'json', name: 'rebuild' })
    return await rebuild(
      {
        ...tell,
        db,
        store,
        journal,
        clock: systemClock,
        // A dry run may go on beside the server, and beside a rebuild into another database.
        folder: join(config.data, dryRun ? 'rebuild-dry-run' : 'rebuild'),
        createWatch: (clock) => createChartRecorder({ clock, log }),
      },
      { ...options, sparse: config.manifests.sparse },
    )
  } finally {
    await db?.close()
    lock?.release()
  }
}

import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AppError } from '../../lib/errors.ts'

export interface WalSync {
  /** Resolves when all that stands in the log at the time of the call is on the disk. */
  sync(): Promise<void>
  close(): Promise<void>
}

/**
 * Syncs the write-ahead log of a SQLite database from outside of SQLite. One sync runs at a time;
 * all who come while it runs share the next one. (Closing a descriptor of the log drops no lock:
 * SQLite's locks are on the database and on the -shm file.)
 */
export function openWalSync(
  databaseFile: string,
  datasync: (log: FileHandle) => Promise<void> = (log) => log.datasync(),
): WalSync {
  let log: FileHandle | undefined
  let failure: AppError | undefined
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined

  async function syncOnce(): Promise<void> {
    if (!log) {
      log = await open(`${databaseFile}-wal`, 'r')
      const folder = await open(dirname(databaseFile), 'r')
      await folder.sync()
      await folder.close()
    }
    try {
      await datasync(log)
    } catch (error) {
      // The kernel forgets the pages that it could not write: the next sync would succeed without
      // them, and what stands behind them in the log could not be read after a power loss.
      failure = new AppError(
        'unavailable',
        'the disk did not take the log of the database; nothing more is promised until a restart',
        {},
        error,
      )
      throw failure
    }
  }

  function start(): Promise<void> {
    running = syncOnce().finally(() => {
      running = undefined
    })
    return running
  }

  return {
    sync() {
      if (failure) return Promise.reject(failure)
      if (!running) return start()
      next ??= running
        .catch(() => {})
        .then(() => {
          next = undefined
          if (failure) throw failure
          return start()
        })
      return next
    },
    async close() {
      await (next ?? running)?.catch(() => {})
      await log?.close()
    },
  }
}

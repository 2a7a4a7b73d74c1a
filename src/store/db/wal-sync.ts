import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'

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
export function openWalSync(databaseFile: string): WalSync {
  let log: FileHandle | undefined
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined

  async function syncOnce(): Promise<void> {
    if (!log) {
      log = await open(`${databaseFile}-wal`, 'r')
      const folder = await open(dirname(databaseFile), 'r')
      await folder.sync()
      await folder.close()
    }
    await log.datasync()
  }

  function start(): Promise<void> {
    running = syncOnce().finally(() => {
      running = undefined
    })
    return running
  }

  return {
    sync() {
      if (!running) return start()
      next ??= running
        .catch(() => {})
        .then(() => {
          next = undefined
          return start()
        })
      return next
    },
    async close() {
      await running?.catch(() => {})
      await log?.close()
    },
  }
}

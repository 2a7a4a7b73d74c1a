import { Database } from 'bun:sqlite'
import { statSync } from 'node:fs'
import type { GroupCommit } from './group-commit.ts'
import type { WaitMark } from './wait-mark.ts'

/** Above this the log is worth stopping all writers for a moment. */
const LOG_LIMIT = 64 * 1024 * 1024
const TRUNCATE_WAIT_MS = 200

export interface CheckpointOptions {
  /** The database file. */
  file: string
  commits: GroupCommit
  mark: WaitMark
  /** Bytes of the log above which it is emptied; 64 MiB unless set. */
  logLimit?: number | undefined
}

export interface Checkpoints {
  run(): Promise<void>
  close(): void
}

/**
 * Moves the write-ahead log into the database. A passive checkpoint disturbs nobody, but the log
 * only starts anew when a writer comes at a moment when all of it has been moved, which under
 * steady writing is never. So a log that has grown too long is emptied while the writers wait.
 */
export function createCheckpoints(options: CheckpointOptions): Checkpoints {
  const { file, commits, mark, logLimit = LOG_LIMIT } = options
  let database: Database | undefined

  // A connection of its own: SQLite refuses checkpoints on one that is in a transaction.
  function connect(): Database {
    const connection = new Database(file, { readwrite: true })
    connection.run('PRAGMA synchronous = NORMAL')
    connection.run('PRAGMA wal_autocheckpoint = 0')
    return connection
  }

  return {
    async run() {
      database ??= connect()
      const connection = database
      connection.run('PRAGMA busy_timeout = 0')
      connection.run('PRAGMA wal_checkpoint(PASSIVE)')
      const bytes = statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0
      if (bytes <= logLimit) return
      // SQLite waits here without the event loop, so a transaction of our own must not be open.
      await commits.alone(() => {
        mark.wait(TRUNCATE_WAIT_MS)
        connection.run(`PRAGMA busy_timeout = ${TRUNCATE_WAIT_MS}`)
        connection.run('PRAGMA wal_checkpoint(TRUNCATE)')
        mark.wait(0)
      })
    },
    close() {
      database?.close()
    },
  }
}

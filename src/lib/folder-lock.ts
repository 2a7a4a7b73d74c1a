import { Database } from 'bun:sqlite'
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from './errors.ts'

export interface FolderLock {
  release(): void
}

/** Reachable until released: collecting the object would close the file and lose the lock. */
const held = new Set<Database>()

/**
 * Creates `folder` (readable by its owner only) and takes it for this process. The lock is one on
 * an open file, so that the kernel gives it back however the process ends; SQLite takes it for us
 * on every platform.
 *
 * @throws AppError `conflict` when another process has it.
 */
export function takeFolderLock(folder: string): FolderLock {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, 'lock.db')
  const database = new Database(file, { create: true })
  try {
    chmodSync(file, 0o600)
    // A write-ahead log would need further files, and lets readers in.
    database.run('PRAGMA journal_mode = MEMORY')
    database.run('PRAGMA busy_timeout = 0')
    database.run('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (!isBusy(error)) throw error
    throw new AppError(
      'conflict',
      `the data folder ${folder} is in use by another Entrepot; stop that one first, or give ` +
        'this one a folder of its own with --data or ENTREPOT_DATA',
      {},
      error,
    )
  }
  held.add(database)
  return {
    release() {
      if (!held.delete(database)) return
      database.run('ROLLBACK')
      database.close()
    },
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY')
}

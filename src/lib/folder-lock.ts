import { Database } from 'bun:sqlite'
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from './code-of.ts'
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
 * @throws AppError `conflict` when another process has it, `unavailable` when the folder cannot be
 *   made or written to.
 */
export function takeFolderLock(folder: string): FolderLock {
  const file = join(folder, 'lock.db')
  let database: Database | undefined
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    database = new Database(file, { create: true })
    chmodSync(file, 0o600)
    // A write-ahead log would need further files, and lets readers in.
    database.run('PRAGMA journal_mode = MEMORY')
    database.run('PRAGMA busy_timeout = 0')
    database.run('BEGIN EXCLUSIVE')
  } catch (error) {
    database?.close()
    throw refusal(folder, error)
  }
  const taken = database
  held.add(taken)
  return {
    release() {
      if (!held.delete(taken)) return
      taken.run('ROLLBACK')
      taken.close()
    },
  }
}

function refusal(folder: string, error: unknown): AppError {
  const code = codeOf(error)
  if (code.startsWith('SQLITE_BUSY')) {
    const message =
      `the data folder ${folder} is in use by another Entrepot; stop that one first, or give ` +
      'this one a folder of its own with --data or ENTREPOT_DATA'
    return new AppError('conflict', message, {}, error)
  }
  const message =
    `the data folder ${folder} cannot be used (${code || error}); name one that this user may ` +
    'write to with --data or ENTREPOT_DATA'
  return new AppError('unavailable', message, {}, error)
}

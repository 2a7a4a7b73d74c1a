import { AppError } from '../../lib/errors.ts'

/** `SQLITE_…`, as bun:sqlite names it; empty for anything else. */
function sqliteCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** Another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  return sqliteCode(error).startsWith('SQLITE_BUSY')
}

/** Errors that callers act on; constraint violations stay what they are. */
export function wireError(error: unknown): unknown {
  if (error instanceof AppError) return error
  const code = sqliteCode(error)
  if (code === 'SQLITE_FULL') {
    return new AppError('storage_full', 'the disk that holds the database is full', {}, error)
  }
  if (isBusy(error)) {
    return new AppError('unavailable', 'the database is busy; try again', { retryAfter: 1 }, error)
  }
  return error
}

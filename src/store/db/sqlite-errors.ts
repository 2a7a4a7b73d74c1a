import { codeOf } from '../../lib/code-of.ts'
import { AppError } from '../../lib/errors.ts'

/** Another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  return codeOf(error).startsWith('SQLITE_BUSY')
}

/** Errors that callers act on; constraint violations stay what they are. */
export function wireError(error: unknown): unknown {
  if (error instanceof AppError) return error
  const code = codeOf(error)
  if (code === 'SQLITE_FULL') {
    return new AppError('storage_full', 'the disk that holds the database is full', {}, error)
  }
  if (isBusy(error)) {
    return new AppError('unavailable', 'the database is busy; try again', { retryAfter: 1 }, error)
  }
  return error
}

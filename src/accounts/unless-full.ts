import { isAppError } from '../lib/errors.ts'

/**
 * Writes what may be left out while the disk is full, so that nobody who only reads is held up by
 * it. undefined: it was left out.
 */
export async function unlessFull<T>(write: () => Promise<T>): Promise<T | undefined> {
  try {
    return await write()
  } catch (error) {
    if (isAppError(error, 'storage_full')) return undefined
    throw error
  }
}

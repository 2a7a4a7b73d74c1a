import { codeOf } from '../../lib/code-of.ts'
import { AppError } from '../../lib/errors.ts'

/**
 * Does something that needs room on the disk.
 * @param full what is told when there is none
 * @throws AppError storage_full
 */
export async function onDisk<T>(
  work: () => Promise<T>,
  full = 'the disk that holds the blobs is full; nothing of this request was kept',
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (['ENOSPC', 'EDQUOT'].includes(codeOf(error))) {
      throw new AppError('storage_full', full, {}, error)
    }
    throw error
  }
}

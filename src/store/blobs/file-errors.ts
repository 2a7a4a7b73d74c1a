import { AppError } from '../../lib/errors.ts'

/** Does something that needs room on the disk. @throws AppError storage_full */
export async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (['ENOSPC', 'EDQUOT'].includes(codeOf(error))) {
      throw new AppError(
        'storage_full',
        'the disk that holds the blobs is full; nothing of this upload was kept',
        {},
        error,
      )
    }
    throw error
  }
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

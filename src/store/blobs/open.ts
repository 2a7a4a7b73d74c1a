import { join } from 'node:path'
import type { Config } from '../../lib/config.ts'
import { DATABASE_RESERVE_BYTES } from '../db/reserve.ts'
import type { BlobStore } from './blob-store.ts'
import { openFileStore } from './file-store.ts'

/**
 * Copies leave more than what pushes need to go on: those would be refused once the database has
 * grown by a little, and nobody removes copies for them.
 */
const KEPT_FOR_DATABASE = 4 * DATABASE_RESERVE_BYTES

/** The store that the settings name. @throws AppError invalid_input */
export async function openBlobStore({
  data,
  storage,
  database,
}: Pick<Config, 'data' | 'storage'> & Partial<Pick<Config, 'database'>>): Promise<BlobStore> {
  if (storage.driver === 'file') return openFileStore(join(data, 'blobs'))
  // Loaded only here: it takes 35 MB that processes with files need not have.
  const { openS3Store } = await import('./s3-store.ts')
  const isBesideDatabase = database !== undefined && database.url === undefined
  return openS3Store(storage.s3, {
    folder: join(data, 'cache'),
    keepFree: isBesideDatabase ? KEPT_FOR_DATABASE : 0,
  })
}

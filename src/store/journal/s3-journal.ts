import { AppError } from '../../lib/errors.ts'
import { createS3Bucket } from '../blobs/s3-bucket.ts'
import { createS3, type S3Settings } from '../blobs/s3-client.ts'
import type { JournalStore } from './journal-store.ts'

const FOLDER = 'journal/'

/** Keeps the journal as objects `<prefix>journal/<lineage>/<file>` in the bucket. */
export function openS3Journal(settings: S3Settings): JournalStore {
  const bucket = createS3Bucket(createS3(settings))
  return {
    put: (name, bytes) => bucket.put(FOLDER + name, bytes),

    async get(name) {
      const found = await bucket.get(FOLDER + name)
      if (!found) return undefined
      const bytes = await new Response(found.body).bytes()
      // An answer that was cut off; its checksum would call it damaged.
      if (bytes.length !== found.size) {
        throw new AppError(
          'unavailable',
          `the S3 storage sent ${bytes.length} of the ${found.size} bytes of journal object ${name}`,
        )
      }
      return bytes
    },

    async *list() {
      for await (const { name } of bucket.list(FOLDER)) yield name.slice(FOLDER.length)
    },

    remove: (names) => bucket.remove(names.map((name) => FOLDER + name)),
  }
}

import { z } from 'zod'
import type { Db, Tx } from '../store/db/database.ts'
import type { StoragePlace } from './places.ts'

const SETTING = 'installation.storage'

const placeSchema = z.union([
  z.object({ driver: z.literal('file') }),
  z.object({
    driver: z.literal('s3'),
    bucket: z.string(),
    prefix: z.string(),
    endpoint: z.string(),
  }),
])

/** Where the blobs of the rows in this database are. */
export function storagePlace(db: Db) {
  return {
    /** undefined: nobody has written it down yet. */
    async read(): Promise<StoragePlace | undefined> {
      const row = await db.query
        .selectFrom('setting')
        .select('value')
        .where('key', '=', SETTING)
        .executeTakeFirst()
      return row && placeSchema.parse(JSON.parse(row.value))
    },
    async write(tx: Tx, place: StoragePlace): Promise<void> {
      const value = JSON.stringify(place)
      await tx
        .insertInto('setting')
        .values({ key: SETTING, value })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
        .execute()
    },
  }
}

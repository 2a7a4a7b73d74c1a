import { type Kysely, sql } from 'kysely'
import type { Engine } from '../engine.ts'

/** Open uploads are counted by account, the more often the nearer it comes to its limit. */
export async function openUploads(db: Kysely<unknown>, _engine: Engine): Promise<void> {
  await db.schema
    .createIndex('upload_account')
    .on('upload')
    .column('account')
    .where(sql.ref('state'), '=', sql.lit('open'))
    .execute()
}

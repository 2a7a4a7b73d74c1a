import type { Kysely } from 'kysely'

/** Hashes that another process can go on with, where reading the bytes again would cost much. */
export async function uploadHash(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('upload').addColumn('hash_state', 'text').execute()
}

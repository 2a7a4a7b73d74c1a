import type { Kysely } from 'kysely'

/** The newest tags of a repository first, without reading all of them. */
export async function tagOrder(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createIndex('tag_newest')
    .on('tag')
    .columns(['repository', 'updated_at', 'id'])
    .execute()
}

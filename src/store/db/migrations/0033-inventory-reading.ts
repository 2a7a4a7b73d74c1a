import { type Kysely, sql } from 'kysely'
import type { Engine } from '../engine.ts'

/** Push times, repositories that are known to be unchanged, and an index to search names by. */
export async function inventoryReading(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const { int } = engine.types
  await db.schema.alterTable('registry_image').addColumn('pushed_at', int).execute()
  await db.schema.alterTable('registry_repository').addColumn('mark', 'text').execute()
  await db.schema.alterTable('registry_repository').addColumn('read_mark', 'text').execute()
  await db.schema
    .alterTable('registry_repository')
    .addColumn('images', int, (c) => c.notNull().defaultTo(0))
    .execute()
  await sql`update registry_repository set images = (
    select count(*) from registry_image where registry_image.registry = registry_repository.registry
      and registry_image.repository = registry_repository.repository
      and registry_image.gone_at is null)`.execute(db)
  await db.schema.alterTable('image_sync').addColumn('note', 'text').execute()
  await db.schema.alterTable('image_sync').addColumn('list_error', 'text').execute()
  // All that a search looks at, so that it reads no rows but those it shows. `gone_at` is null in
  // all of them; without it SQLite would read the rows for it.
  await db.schema
    .createIndex('registry_image_names')
    .on('registry_image')
    .columns(['registry', 'repository', 'tag', 'id', 'gone_at'])
    .where(sql.ref('gone_at'), 'is', null)
    .execute()
}

import { type Kysely, sql } from 'kysely'
import type { Engine } from '../engine.ts'

/** The tags of a repository as one text, to search in, and how much a runner told of a task. */
export async function inventoryTags(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const { int, name } = engine.types
  await db.schema
    .alterTable('runner_task')
    .addColumn('entries', int, (c) => c.notNull().defaultTo(0))
    .execute()
  await db.schema
    .createTable('registry_tags')
    .addColumn('id', int, (c) => engine.primaryKey(c))
    .addColumn('registry', name, (c) => c.notNull().references('registry.id').onDelete('cascade'))
    .addColumn('repository', name, (c) => c.notNull())
    .addColumn('count', int, (c) => c.notNull())
    .addColumn('tags', 'text', (c) => c.notNull())
    .execute()
  await db.schema
    .createIndex('registry_tags_repository')
    .on('registry_tags')
    .columns(['registry', 'repository'])
    .execute()
  await sql`insert into registry_tags (registry, repository, count, tags)
    select registry, repository, count(*), string_agg(lower(tag), ${sql.lit('\n')})
    from registry_image group by registry, repository`.execute(db)
}

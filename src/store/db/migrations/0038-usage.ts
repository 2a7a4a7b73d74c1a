import { type Kysely, sql } from 'kysely'
import type { Engine } from '../engine.ts'

/** Use over time; search by name in all projects; and the first tags of a manifest that has many. */
export async function usage(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const { int } = engine.types
  await db.schema
    .createTable('usage')
    .addColumn('project', int, (c) => c.notNull())
    .addColumn('day', int, (c) => c.notNull())
    .addColumn('logical_bytes', int)
    .addColumn('unique_bytes', int)
    .addColumn('physical_bytes', int)
    .addColumn('pushes', int, (c) => c.notNull().defaultTo(0))
    .addColumn('pulls', int, (c) => c.notNull().defaultTo(0))
    .addPrimaryKeyConstraint('usage_key', ['project', 'day'])
    .execute()
  await db.schema.createIndex('usage_by_day').on('usage').column('day').execute()

  // Names alone, so that a search reads no rows.
  await db.schema
    .createIndex('repository_search')
    .on('repository')
    .columns(['name', 'id', 'project'])
    .where(sql.ref('state'), '=', sql.lit('live'))
    .execute()

  await db.schema.dropIndex('tag_manifest').execute()
  await db.schema.createIndex('tag_of').on('tag').columns(['manifest', 'name']).execute()
}

import type { Kysely } from 'kysely'
import type { Engine } from '../engine.ts'

/** How many requests a registry puts up with at once, dealt out to the processes that ask it. */
export async function registryPlaces(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const { int, name } = engine.types
  await db.schema
    .createTable('place_pool')
    .addColumn('key', name, (c) => c.notNull().primaryKey())
    .addColumn('paused_until', int, (c) => c.notNull().defaultTo(0))
    .execute()
  await db.schema
    .createTable('place_lease')
    .addColumn('pool', name, (c) => c.notNull().references('place_pool.key').onDelete('cascade'))
    .addColumn('process', name, (c) => c.notNull())
    .addColumn('granted', int, (c) => c.notNull())
    .addColumn('wants_more', int, (c) => c.notNull())
    .addColumn('lease_until', int, (c) => c.notNull())
    .addPrimaryKeyConstraint('place_lease_pk', ['pool', 'process'])
    .execute()
}

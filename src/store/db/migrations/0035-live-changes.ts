import { type Kysely, sql } from 'kysely'
import type { Engine } from '../engine.ts'

/** What changed lately is found by time, and the times of a sync are in somebody's zone. */
export async function liveChanges(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const { int, name } = engine.types
  await db.schema
    .alterTable('job')
    .addColumn('updated_at', int, (c) => c.notNull().defaultTo(0))
    .execute()
  await db.schema.createIndex('job_updated').on('job').column('updated_at').execute()
  await db.schema.createIndex('transfer_updated').on('transfer').column('updated_at').execute()
  await db.schema.createIndex('transfer_state').on('transfer').columns(['state', 'id']).execute()
  await db.schema
    .alterTable('registry')
    .addColumn('sync_time_zone', name, (c) => c.notNull().defaultTo('UTC'))
    .execute()
  // Those that the registry has no more are few; they are shown when somebody asks for them.
  await db.schema
    .createIndex('registry_image_gone')
    .on('registry_image')
    .columns(['registry', 'id'])
    .where(sql.ref('gone_at'), 'is not', null)
    .execute()
}

import { type Kysely, sql } from 'kysely'
import type { Engine } from '../engine.ts'

/** Copies of images between registries, and how far they are. */
export async function transfers(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const { int, name } = engine.types
  await db.schema
    .createTable('transfer')
    .addColumn('id', int, (c) => engine.primaryKey(c))
    .addColumn('project', int, (c) => c.notNull().references('project.id').onDelete('cascade'))
    .addColumn('source_registry', name)
    .addColumn('source_name', 'text', (c) => c.notNull())
    .addColumn('source_repository', name, (c) => c.notNull())
    .addColumn('source_reference', name, (c) => c.notNull())
    .addColumn('target_registry', name)
    .addColumn('target_name', 'text', (c) => c.notNull())
    .addColumn('target_repository', name, (c) => c.notNull())
    .addColumn('target_tag', name)
    .addColumn('options', 'text', (c) => c.notNull())
    .addColumn('requested_by', int, (c) => c.notNull())
    .addColumn('requested_by_name', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull().defaultTo('queued'))
    .addColumn('job', int)
    .addColumn('run', 'text')
    .addColumn('digest', 'text')
    .addColumn('manifests', int, (c) => c.notNull().defaultTo(0))
    .addColumn('blobs', 'text', (c) => c.notNull().defaultTo('[]'))
    .addColumn('blobs_total', int, (c) => c.notNull().defaultTo(0))
    .addColumn('blobs_done', int, (c) => c.notNull().defaultTo(0))
    .addColumn('bytes_total', int, (c) => c.notNull().defaultTo(0))
    .addColumn('bytes_sent', int, (c) => c.notNull().defaultTo(0))
    .addColumn('bytes_skipped', int, (c) => c.notNull().defaultTo(0))
    .addColumn('bytes_mounted', int, (c) => c.notNull().defaultTo(0))
    .addColumn('speed', int, (c) => c.notNull().defaultTo(0))
    .addColumn('notes', 'text', (c) => c.notNull().defaultTo('[]'))
    .addColumn('checkpoint', 'text')
    .addColumn('error', 'text')
    .addColumn('error_code', 'text')
    .addColumn('failures', int, (c) => c.notNull().defaultTo(0))
    .addColumn('waits_until', int)
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('started_at', int)
    .addColumn('finished_at', int)
    .addColumn('updated_at', int, (c) => c.notNull())
    .execute()
  await db.schema
    .createIndex('transfer_project')
    .on('transfer')
    .columns(['project', 'id'])
    .execute()
  await db.schema
    .createIndex('transfer_requested_by')
    .on('transfer')
    .columns(['requested_by', 'id'])
    .execute()
  await db.schema.createIndex('transfer_finished').on('transfer').column('finished_at').execute()
  // Those that are not done yet are few, and asked for whenever one begins or a registry goes.
  for (const side of ['source_registry', 'target_registry']) {
    await db.schema
      .createIndex(`transfer_${side}`)
      .on('transfer')
      .column(side)
      .where(sql.ref('finished_at'), 'is', null)
      .execute()
  }
}

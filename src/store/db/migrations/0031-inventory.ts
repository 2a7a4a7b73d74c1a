import { type Kysely, sql } from 'kysely'
import type { Engine } from '../engine.ts'

/** The images of external registries, and the runs that read them. */
export async function inventory(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const { int, name } = engine.types
  await db.schema
    .createTable('registry_image')
    .addColumn('id', int, (c) => engine.primaryKey(c))
    .addColumn('registry', name, (c) => c.notNull().references('registry.id').onDelete('cascade'))
    .addColumn('repository', name, (c) => c.notNull())
    .addColumn('namespace', name, (c) => c.notNull())
    .addColumn('image_name', name, (c) => c.notNull())
    .addColumn('tag', name, (c) => c.notNull())
    .addColumn('digest', name, (c) => c.notNull())
    .addColumn('media_type', 'text', (c) => c.notNull())
    .addColumn('size', int, (c) => c.notNull())
    .addColumn('is_multiarch', int, (c) => c.notNull())
    .addColumn('platforms', 'text', (c) => c.notNull())
    .addColumn('children', 'text', (c) => c.notNull())
    .addColumn('latest_version', int, (c) => c.notNull().defaultTo(0))
    .addColumn('updated_at', int, (c) => c.notNull())
    .addColumn('first_seen_at', int, (c) => c.notNull())
    .addColumn('synced_at', int, (c) => c.notNull())
    .addColumn('sync', int, (c) => c.notNull())
    .addColumn('gone_at', int)
    .addUniqueConstraint('registry_image_key', ['registry', 'repository', 'tag'])
    .execute()
  // Of those that are there. Those that are compared whole end with the id, by which lists go on.
  for (const [suffix, ...columns] of [
    ['all', 'registry', 'id'],
    ['namespace', 'namespace', 'id'],
    ['image_name', 'image_name', 'id'],
    ['tag', 'tag', 'id'],
    ['digest', 'digest', 'id'],
    ['size', 'size', 'id'],
    ['updated', 'registry', 'updated_at'],
    ['synced', 'registry', 'synced_at'],
    ['latest', 'registry', 'latest_version', 'id'],
  ] as const) {
    await db.schema
      .createIndex(`registry_image_${suffix}`)
      .on('registry_image')
      .columns([...columns])
      .where(sql.ref('gone_at'), 'is', null)
      .execute()
  }

  await db.schema
    .createTable('registry_repository')
    .addColumn('registry', name, (c) => c.notNull().references('registry.id').onDelete('cascade'))
    .addColumn('repository', name, (c) => c.notNull())
    .addColumn('listed_by', int, (c) => c.notNull())
    .addColumn('done_by', int)
    .addColumn('error', 'text')
    .addPrimaryKeyConstraint('registry_repository_key', ['registry', 'repository'])
    .execute()

  await db.schema
    .createTable('image_sync')
    .addColumn('id', int, (c) => engine.primaryKey(c))
    .addColumn('task', name, (c) => c.notNull())
    .addColumn('registry', name, (c) => c.notNull().references('registry.id').onDelete('cascade'))
    .addColumn('trigger', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull().defaultTo('queued'))
    .addColumn('job', int)
    .addColumn('run', 'text')
    .addColumn('again', int, (c) => c.notNull().defaultTo(0))
    .addColumn('listed_at', int)
    .addColumn('repositories_total', int, (c) => c.notNull().defaultTo(0))
    .addColumn('repositories_done', int, (c) => c.notNull().defaultTo(0))
    .addColumn('repositories_failed', int, (c) => c.notNull().defaultTo(0))
    .addColumn('images', int, (c) => c.notNull().defaultTo(0))
    .addColumn('manifests_read', int, (c) => c.notNull().defaultTo(0))
    .addColumn('reasons', 'text', (c) => c.notNull().defaultTo('[]'))
    .addColumn('error', 'text')
    .addColumn('error_code', 'text')
    .addColumn('pauses', int, (c) => c.notNull().defaultTo(0))
    .addColumn('requested_by', int)
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('started_at', int)
    .addColumn('finished_at', int)
    .execute()
  // At most one of a registry that is not over: whoever asks meanwhile joins it.
  await db.schema
    .createIndex('image_sync_open')
    .unique()
    .on('image_sync')
    .column('registry')
    .where(sql.ref('finished_at'), 'is', null)
    .execute()
  await db.schema
    .createIndex('image_sync_registry')
    .on('image_sync')
    .columns(['registry', 'id'])
    .execute()
  await db.schema.createIndex('image_sync_task').on('image_sync').columns(['task', 'id']).execute()
  await db.schema
    .createIndex('image_sync_finished')
    .on('image_sync')
    .column('finished_at')
    .execute()
}

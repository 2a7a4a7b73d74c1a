import { type Kysely, sql } from 'kysely'
import type { Engine } from '../engine.ts'

/** External registries, their projects, the default among them and who uses them. */
export async function hub(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const { int, name } = engine.types
  await db.schema
    .createTable('registry')
    .addColumn('seq', int, (c) => engine.primaryKey(c))
    .addColumn('id', name, (c) => c.notNull().unique())
    .addColumn('name', name, (c) => c.notNull())
    .addColumn('provider', 'text', (c) => c.notNull())
    .addColumn('address', 'text', (c) => c.notNull())
    .addColumn('region', 'text', (c) => c.notNull().defaultTo(''))
    .addColumn('namespace', 'text', (c) => c.notNull().defaultTo(''))
    .addColumn('access_key', 'text', (c) => c.notNull().defaultTo(''))
    .addColumn('sealed_secret', 'text')
    .addColumn('runner_key', 'text')
    .addColumn('secret_changed_at', int)
    .addColumn('verify_tls', int, (c) => c.notNull().defaultTo(1))
    .addColumn('ca_certificate', 'text')
    .addColumn('all_projects', int, (c) => c.notNull().defaultTo(0))
    .addColumn('notes', 'text', (c) => c.notNull().defaultTo(''))
    .addColumn('origin', 'text', (c) => c.notNull())
    .addColumn('electable', int, (c) => c.notNull())
    .addColumn('private_allowed', int, (c) => c.notNull().defaultTo(0))
    .addColumn('enterprise_project_id', 'text', (c) => c.notNull().defaultTo('0'))
    .addColumn('connect_cluster_id', 'text', (c) => c.notNull().defaultTo('local'))
    .addColumn('scan_image_channel', 'text', (c) => c.notNull().defaultTo('Swr'))
    .addColumn('scan_namespace', 'text', (c) => c.notNull().defaultTo(''))
    .addColumn('api_version', 'text', (c) => c.notNull().defaultTo('V2'))
    .addColumn('health', 'text', (c) => c.notNull().defaultTo('unknown'))
    .addColumn('health_reason', 'text', (c) => c.notNull().defaultTo(''))
    .addColumn('health_code', 'text')
    .addColumn('health_steps', 'text', (c) => c.notNull().defaultTo('[]'))
    .addColumn('checked_at', int)
    .addColumn('last_success_at', int)
    .addColumn('credential_expires_at', int)
    .addColumn('images_num', int, (c) => c.notNull().defaultTo(0))
    .addColumn('latest_sync_at', int)
    .addColumn('sync_cron', 'text')
    .addColumn('created_by', int)
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('updated_at', int, (c) => c.notNull())
    .addColumn('version', int, (c) => c.notNull().defaultTo(1))
    .execute()
  for (const column of ['name', 'provider', 'address', 'health', 'connect_cluster_id']) {
    await db.schema
      .createIndex(`registry_by_${column}`)
      .on('registry')
      .columns([column, 'seq'])
      .execute()
  }
  await db.schema
    .createIndex('registry_for_all')
    .on('registry')
    .column('seq')
    .where(sql.ref('all_projects'), '=', sql`1`)
    .execute()

  await db.schema
    .createTable('registry_project')
    .addColumn('registry', name, (c) => c.notNull().references('registry.id').onDelete('cascade'))
    .addColumn('project', int, (c) => c.notNull().references('project.id').onDelete('cascade'))
    .addPrimaryKeyConstraint('registry_project_key', ['registry', 'project'])
    .execute()
  await db.schema
    .createIndex('registry_project_project')
    .on('registry_project')
    .columns(['project', 'registry'])
    .execute()

  // No action on deletion: the default is never lost by accident.
  await db.schema
    .createTable('registry_default')
    .addColumn('id', int, (c) => c.notNull().primaryKey())
    .addColumn('registry', name, (c) => c.references('registry.id'))
    .execute()
  await sql`insert into registry_default (id, registry) values (1, null)`.execute(db)

  await db.schema
    .createTable('consumer')
    .addColumn('id', int, (c) => engine.primaryKey(c))
    .addColumn('registry', name, (c) => c.notNull().references('registry.id').onDelete('cascade'))
    .addColumn('project', int, (c) => c.notNull().references('project.id').onDelete('cascade'))
    .addColumn('purpose', 'text', (c) => c.notNull())
    .addColumn('environment', 'text', (c) => c.notNull().defaultTo(''))
    .addColumn('account', int)
    .addColumn('first_fetched_at', int, (c) => c.notNull())
    .addColumn('last_fetched_at', int, (c) => c.notNull())
    .addColumn('secret_changed_at', int)
    .addUniqueConstraint('consumer_key', ['registry', 'project', 'purpose', 'environment'])
    .execute()
  await db.schema
    .createIndex('consumer_project')
    .on('consumer')
    .columns(['project', 'registry'])
    .execute()
}

import type { Kysely } from 'kysely'
import type { Engine } from '../engine.ts'

/** Runners, how they prove themselves, and the work that waits for them. */
export async function runners(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const { int, name } = engine.types
  await db.schema
    .createTable('runner')
    .addColumn('seq', int, (c) => engine.primaryKey(c))
    .addColumn('id', name, (c) => c.notNull().unique())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('project', int, (c) => c.references('project.id').onDelete('cascade'))
    .addColumn('state', 'text', (c) => c.notNull().defaultTo('invited'))
    .addColumn('public_key', 'text')
    .addColumn('key_id', name)
    .addColumn('key_epoch', int, (c) => c.notNull().defaultTo(0))
    .addColumn('version', 'text', (c) => c.notNull().defaultTo(''))
    .addColumn('last_seen_at', int)
    .addColumn('created_by', int)
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('enrolled_at', int)
    .addColumn('revoked_at', int)
    .execute()
  await db.schema.createIndex('runner_project').on('runner').column('project').execute()

  await db.schema
    .createTable('runner_credential')
    .addColumn('id', int, (c) => engine.primaryKey(c))
    .addColumn('runner', name, (c) => c.notNull().references('runner.id').onDelete('cascade'))
    .addColumn('hash', name, (c) => c.notNull().unique())
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('first_used_at', int)
    .execute()
  await db.schema
    .createIndex('runner_credential_runner')
    .on('runner_credential')
    .column('runner')
    .execute()

  await db.schema
    .createTable('runner_enrolment')
    .addColumn('hash', name, (c) => c.notNull().primaryKey())
    .addColumn('runner', name, (c) => c.notNull().references('runner.id').onDelete('cascade'))
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('expires_at', int, (c) => c.notNull())
    .addColumn('used_at', int)
    .addColumn('used_by', name)
    .execute()
  await db.schema
    .createIndex('runner_enrolment_runner')
    .on('runner_enrolment')
    .column('runner')
    .execute()

  await db.schema
    .createTable('runner_task')
    .addColumn('id', int, (c) => engine.primaryKey(c))
    .addColumn('runner', name, (c) => c.notNull().references('runner.id').onDelete('cascade'))
    .addColumn('registry', name, (c) => c.notNull().references('registry.id').onDelete('cascade'))
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('payload', 'text', (c) => c.notNull())
    .addColumn('unique_key', name, (c) => c.notNull().unique())
    .addColumn('state', 'text', (c) => c.notNull().defaultTo('queued'))
    .addColumn('epoch', int, (c) => c.notNull().defaultTo(0))
    .addColumn('lease_until', int)
    .addColumn('progress', 'text')
    .addColumn('result', 'text')
    .addColumn('wanted_until', int, (c) => c.notNull())
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('finished_at', int)
    .execute()
  await db.schema
    .createIndex('runner_task_due')
    .on('runner_task')
    .columns(['runner', 'state', 'id'])
    .execute()
  await db.schema.createIndex('runner_task_registry').on('runner_task').column('registry').execute()
  await db.schema
    .createIndex('runner_task_wanted')
    .on('runner_task')
    .column('wanted_until')
    .execute()
}

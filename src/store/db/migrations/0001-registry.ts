import { type CreateTableBuilder, type Kysely, sql } from 'kysely'
import type { Engine } from '../engine.ts'

/** Everything that the registry itself stands on: identity, content, names, uploads, jobs. */
export async function registry(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const { int, bytes, name } = engine.types
  const id = (table: CreateTableBuilder<string>) =>
    table.addColumn('id', int, (c) => engine.primaryKey(c))
  const trash = <C extends string>(table: CreateTableBuilder<string, C>) =>
    table
      .addColumn('state', 'text', (c) => c.notNull().defaultTo('live'))
      .addColumn('trashed_at', int)
      .addColumn('trashed_by', int)
      .addColumn('trash_reason', 'text')

  // Identity

  await id(db.schema.createTable('account'))
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('name', name, (c) => c.notNull().unique())
    .addColumn('display_name', 'text', (c) => c.notNull().defaultTo(''))
    .addColumn('email', 'text')
    .addColumn('is_admin', int, (c) => c.notNull().defaultTo(0))
    .addColumn('disabled', int, (c) => c.notNull().defaultTo(0))
    .addColumn('project', int)
    .addColumn('valid_after', int, (c) => c.notNull().defaultTo(0))
    .addColumn('expires_at', int)
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('updated_at', int, (c) => c.notNull())
    .addColumn('version', int, (c) => c.notNull().defaultTo(1))
    .execute()
  await db.schema.createIndex('account_project').on('account').column('project').execute()

  await id(db.schema.createTable('credential'))
    .addColumn('account', int, (c) => c.notNull().references('account.id').onDelete('cascade'))
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('expires_at', int)
    .execute()
  await db.schema.createIndex('credential_account').on('credential').column('account').execute()

  await id(db.schema.createTable('api_token'))
    .addColumn('account', int, (c) => c.notNull().references('account.id').onDelete('cascade'))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull().unique())
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('expires_at', int)
    .addColumn('last_used_at', int)
    .addUniqueConstraint('api_token_name', ['account', 'name'])
    .execute()

  await id(db.schema.createTable('refresh_token'))
    .addColumn('account', int, (c) => c.notNull().references('account.id').onDelete('cascade'))
    .addColumn('hash', 'text', (c) => c.notNull().unique())
    .addColumn('service', 'text', (c) => c.notNull())
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('expires_at', int, (c) => c.notNull())
    .execute()
  await db.schema
    .createIndex('refresh_token_account')
    .on('refresh_token')
    .column('account')
    .execute()
  await db.schema
    .createIndex('refresh_token_expiry')
    .on('refresh_token')
    .column('expires_at')
    .execute()

  await db.schema
    .createTable('signing_key')
    .addColumn('kid', 'text', (c) => c.notNull().primaryKey())
    .addColumn('public_key', 'text', (c) => c.notNull())
    .addColumn('private_key', 'text', (c) => c.notNull())
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('retired_at', int)
    .execute()

  await db.schema
    .createTable('login_failure')
    .addColumn('key', 'text', (c) => c.notNull().primaryKey())
    .addColumn('failures', int, (c) => c.notNull())
    .addColumn('window_start', int, (c) => c.notNull())
    .addColumn('blocked_until', int, (c) => c.notNull())
    .execute()

  // Projects and repositories

  await trash(
    id(db.schema.createTable('project'))
      .addColumn('name', name, (c) => c.notNull())
      .addColumn('kind', 'text', (c) => c.notNull().defaultTo('local'))
      .addColumn('is_public', int, (c) => c.notNull())
      .addColumn('quota', int, (c) => c.notNull().defaultTo(-1))
      .addColumn('description', 'text', (c) => c.notNull().defaultTo(''))
      .addColumn('created_by', int)
      .addColumn('created_at', int, (c) => c.notNull())
      .addColumn('updated_at', int, (c) => c.notNull())
      .addColumn('version', int, (c) => c.notNull().defaultTo(1)),
  ).execute()
  await db.schema
    .createIndex('project_name')
    .on('project')
    .column('name')
    .unique()
    .where(sql.ref('state'), '=', sql.lit('live'))
    .execute()

  await db.schema
    .createTable('project_usage')
    .addColumn('project', int, (c) => c.primaryKey().references('project.id').onDelete('cascade'))
    .addColumn('logical_bytes', int, (c) => c.notNull().defaultTo(0))
    .addColumn('unique_bytes', int, (c) => c.notNull().defaultTo(0))
    .execute()

  await db.schema
    .createTable('member')
    .addColumn('project', int, (c) => c.notNull().references('project.id').onDelete('cascade'))
    .addColumn('account', int, (c) => c.notNull().references('account.id').onDelete('cascade'))
    .addColumn('role', 'text', (c) => c.notNull())
    .addColumn('created_at', int, (c) => c.notNull())
    .addPrimaryKeyConstraint('member_key', ['project', 'account'])
    .execute()
  await db.schema.createIndex('member_account').on('member').column('account').execute()

  await trash(
    id(db.schema.createTable('repository'))
      .addColumn('project', int, (c) => c.notNull().references('project.id'))
      .addColumn('name', name, (c) => c.notNull())
      .addColumn('summary', 'text', (c) => c.notNull().defaultTo(''))
      .addColumn('description', 'text', (c) => c.notNull().defaultTo(''))
      .addColumn('created_by', int)
      .addColumn('created_at', int, (c) => c.notNull())
      .addColumn('updated_at', int, (c) => c.notNull())
      .addColumn('version', int, (c) => c.notNull().defaultTo(1))
      .addColumn('logical_bytes', int, (c) => c.notNull().defaultTo(0))
      .addColumn('manifest_count', int, (c) => c.notNull().defaultTo(0))
      .addColumn('tag_count', int, (c) => c.notNull().defaultTo(0)),
  ).execute()
  await db.schema
    .createIndex('repository_name')
    .on('repository')
    .columns(['project', 'name'])
    .unique()
    .where(sql.ref('state'), '=', sql.lit('live'))
    .execute()

  await id(db.schema.createTable('usage_delta'))
    .addColumn('project', int, (c) => c.notNull())
    .addColumn('repository', int, (c) => c.notNull())
    .addColumn('logical_bytes', int, (c) => c.notNull())
    .addColumn('unique_bytes', int, (c) => c.notNull())
    .addColumn('manifest_count', int, (c) => c.notNull())
    .addColumn('tag_count', int, (c) => c.notNull())
    .execute()
  await db.schema.createIndex('usage_delta_project').on('usage_delta').column('project').execute()
  await db.schema
    .createIndex('usage_delta_repository')
    .on('usage_delta')
    .column('repository')
    .execute()

  // Content

  await id(db.schema.createTable('content'))
    .addColumn('sha256', name, (c) => c.notNull())
    .addColumn('size', int, (c) => c.notNull())
    .addColumn('storage_key', 'text')
    .addColumn('state', 'text', (c) => c.notNull().defaultTo('live'))
    .addColumn('state_at', int, (c) => c.notNull())
    .addColumn('created_at', int, (c) => c.notNull())
    .execute()
  await db.schema
    .createIndex('content_sha256')
    .on('content')
    .column('sha256')
    .unique()
    .where(sql.ref('state'), '=', sql.lit('live'))
    .execute()
  await db.schema
    .createIndex('content_storage_key')
    .on('content')
    .column('storage_key')
    .unique()
    .execute()

  await db.schema
    .createTable('content_body')
    .addColumn('content', int, (c) => c.primaryKey().references('content.id').onDelete('cascade'))
    .addColumn('bytes', bytes, (c) => c.notNull())
    .execute()

  await db.schema
    .createTable('project_content')
    .addColumn('project', int, (c) => c.notNull())
    .addColumn('content', int, (c) => c.notNull().references('content.id'))
    .addColumn('links', int, (c) => c.notNull())
    .addPrimaryKeyConstraint('project_content_key', ['project', 'content'])
    .execute()
  await db.schema
    .createIndex('project_content_content')
    .on('project_content')
    .column('content')
    .execute()

  await db.schema
    .createTable('repository_blob')
    .addColumn('repository', int, (c) => c.notNull())
    .addColumn('digest', name, (c) => c.notNull())
    .addColumn('content', int, (c) => c.notNull().references('content.id'))
    .addColumn('unreferenced_since', int)
    .addColumn('created_at', int, (c) => c.notNull())
    .addPrimaryKeyConstraint('repository_blob_key', ['repository', 'digest'])
    .execute()
  await db.schema
    .createIndex('repository_blob_content')
    .on('repository_blob')
    .column('content')
    .execute()
  await db.schema
    .createIndex('repository_blob_digest')
    .on('repository_blob')
    .column('digest')
    .execute()
  await db.schema
    .createIndex('repository_blob_unreferenced')
    .on('repository_blob')
    .column('unreferenced_since')
    .where(sql.ref('unreferenced_since'), 'is not', null)
    .execute()

  await trash(
    id(db.schema.createTable('manifest'))
      .addColumn('repository', int, (c) => c.notNull().references('repository.id'))
      .addColumn('digest', name, (c) => c.notNull())
      .addColumn('content', int, (c) => c.notNull().references('content.id'))
      .addColumn('media_type', 'text', (c) => c.notNull())
      .addColumn('artifact_type', 'text')
      .addColumn('kind', 'text', (c) => c.notNull())
      .addColumn('size', int, (c) => c.notNull())
      .addColumn('subject', name)
      .addColumn('annotations', 'text')
      .addColumn('untagged_since', int)
      .addColumn('pushed_by', int)
      .addColumn('created_at', int, (c) => c.notNull()),
  ).execute()
  await db.schema
    .createIndex('manifest_digest')
    .on('manifest')
    .columns(['repository', 'digest'])
    .unique()
    .where(sql.ref('state'), '=', sql.lit('live'))
    .execute()
  await db.schema
    .createIndex('manifest_subject')
    .on('manifest')
    .columns(['repository', 'subject', 'digest'])
    .where(sql.ref('subject'), 'is not', null)
    .execute()
  await db.schema.createIndex('manifest_content').on('manifest').column('content').execute()

  await db.schema
    .createTable('manifest_ref')
    .addColumn('repository', int, (c) => c.notNull())
    .addColumn('parent', int, (c) => c.notNull().references('manifest.id').onDelete('cascade'))
    .addColumn('position', int, (c) => c.notNull())
    .addColumn('child', name, (c) => c.notNull())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('descriptor', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('manifest_ref_key', ['parent', 'position'])
    .execute()
  await db.schema
    .createIndex('manifest_ref_child')
    .on('manifest_ref')
    .columns(['repository', 'child'])
    .execute()

  await id(db.schema.createTable('tag'))
    .addColumn('repository', int, (c) => c.notNull().references('repository.id'))
    .addColumn('name', name, (c) => c.notNull())
    .addColumn('manifest', int, (c) => c.notNull().references('manifest.id'))
    .addColumn('immutable', int, (c) => c.notNull().defaultTo(0))
    .addColumn('pushed_by', int)
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('updated_at', int, (c) => c.notNull())
    .addUniqueConstraint('tag_name', ['repository', 'name'])
    .execute()
  await db.schema.createIndex('tag_manifest').on('tag').column('manifest').execute()

  await id(db.schema.createTable('tag_history'))
    .addColumn('repository', int, (c) => c.notNull())
    .addColumn('name', name, (c) => c.notNull())
    .addColumn('old_digest', 'text')
    .addColumn('new_digest', 'text')
    .addColumn('actor', int)
    .addColumn('at', int, (c) => c.notNull())
    .addColumn('reason', 'text', (c) => c.notNull())
    .execute()
  await db.schema
    .createIndex('tag_history_tag')
    .on('tag_history')
    .columns(['repository', 'name', 'id'])
    .execute()

  await db.schema
    .createTable('upload')
    .addColumn('id', 'text', (c) => c.notNull().primaryKey())
    .addColumn('project_name', 'text', (c) => c.notNull())
    .addColumn('repository_name', 'text', (c) => c.notNull())
    .addColumn('account', int)
    .addColumn('state', 'text', (c) => c.notNull().defaultTo('open'))
    .addColumn('epoch', int, (c) => c.notNull().defaultTo(0))
    .addColumn('writer', 'text')
    .addColumn('writer_until', int, (c) => c.notNull().defaultTo(0))
    .addColumn('offset', int, (c) => c.notNull().defaultTo(0))
    .addColumn('algorithm', 'text', (c) => c.notNull().defaultTo('sha256'))
    .addColumn('prefix_digest', 'text')
    .addColumn('prefix_sha256', 'text')
    .addColumn('storage_key', 'text', (c) => c.notNull())
    .addColumn('storage_state', 'text')
    .addColumn('buffer', bytes)
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('updated_at', int, (c) => c.notNull())
    .execute()
  await db.schema.createIndex('upload_updated').on('upload').column('updated_at').execute()
  await db.schema.createIndex('upload_storage_key').on('upload').column('storage_key').execute()

  // Jobs, audit, settings

  await id(db.schema.createTable('job'))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('payload', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull().defaultTo('queued'))
    .addColumn('priority', int, (c) => c.notNull().defaultTo(0))
    .addColumn('run_at', int, (c) => c.notNull())
    .addColumn('attempts', int, (c) => c.notNull().defaultTo(0))
    .addColumn('max_attempts', int, (c) => c.notNull())
    .addColumn('unique_key', 'text')
    .addColumn('lease_owner', 'text')
    .addColumn('lease_until', int)
    .addColumn('cancel_requested', int, (c) => c.notNull().defaultTo(0))
    .addColumn('progress', 'text')
    .addColumn('error', 'text')
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('started_at', int)
    .addColumn('finished_at', int)
    .execute()
  await db.schema
    .createIndex('job_due')
    .on('job')
    .columns(['state', 'priority', 'run_at', 'id'])
    .execute()
  await db.schema
    .createIndex('job_unique_key')
    .on('job')
    .column('unique_key')
    .unique()
    .where(sql.ref('state'), 'in', sql`('queued', 'running')`)
    .execute()

  await db.schema
    .createTable('job_schedule')
    .addColumn('name', 'text', (c) => c.notNull().primaryKey())
    .addColumn('cron', 'text', (c) => c.notNull())
    .addColumn('time_zone', 'text', (c) => c.notNull())
    .addColumn('next_at', int, (c) => c.notNull())
    .execute()

  await id(db.schema.createTable('audit'))
    .addColumn('at', int, (c) => c.notNull())
    .addColumn('account', int)
    .addColumn('account_name', 'text', (c) => c.notNull())
    .addColumn('action', 'text', (c) => c.notNull())
    .addColumn('project', int)
    .addColumn('resource', 'text', (c) => c.notNull())
    .addColumn('address', 'text', (c) => c.notNull())
    .addColumn('request_id', 'text', (c) => c.notNull())
    .addColumn('details', 'text', (c) => c.notNull())
    .execute()
  await db.schema.createIndex('audit_at').on('audit').columns(['at', 'id']).execute()
  for (const column of ['account', 'project', 'action']) {
    await db.schema
      .createIndex(`audit_${column}`)
      .on('audit')
      .columns([column, 'at', 'id'])
      .execute()
  }

  await db.schema
    .createTable('setting')
    .addColumn('key', 'text', (c) => c.notNull().primaryKey())
    .addColumn('value', 'text', (c) => c.notNull())
    .execute()
}

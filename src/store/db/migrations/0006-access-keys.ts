import { type Kysely, sql } from 'kysely'
import type { Engine } from '../engine.ts'

/** How programs made for Huawei Cloud sign in, and the ids that they know projects by. */
export async function accessKeys(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const { int, name } = engine.types
  await db.schema
    .createTable('access_key')
    .addColumn('id', int, (c) => engine.primaryKey(c))
    .addColumn('account', int, (c) => c.notNull().references('account.id').onDelete('cascade'))
    .addColumn('name', name, (c) => c.notNull())
    .addColumn('access_key', name, (c) => c.notNull().unique())
    .addColumn('sealed_secret', 'text', (c) => c.notNull())
    .addColumn('disabled', int, (c) => c.notNull().defaultTo(0))
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('expires_at', int)
    .addColumn('last_used_at', int)
    .addUniqueConstraint('access_key_name', ['account', 'name'])
    .execute()

  await db.schema
    .createTable('project_token')
    .addColumn('id', int, (c) => engine.primaryKey(c))
    .addColumn('account', int, (c) => c.notNull().references('account.id').onDelete('cascade'))
    .addColumn('hash', name, (c) => c.notNull().unique())
    .addColumn('project', int)
    .addColumn('epoch', int, (c) => c.notNull())
    .addColumn('credential_kind', 'text')
    .addColumn('credential', int)
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('expires_at', int, (c) => c.notNull())
    .execute()
  await db.schema
    .createIndex('project_token_account')
    .on('project_token')
    .columns(['account', 'id'])
    .execute()
  await db.schema
    .createIndex('project_token_expiry')
    .on('project_token')
    .column('expires_at')
    .execute()

  await db.schema
    .createTable('seen_signature')
    .addColumn('signature', name, (c) => c.notNull().primaryKey())
    .addColumn('expires_at', int, (c) => c.notNull())
    .execute()
  await db.schema
    .createIndex('seen_signature_expiry')
    .on('seen_signature')
    .column('expires_at')
    .execute()

  await db.schema.alterTable('project').addColumn('alias', name).execute()
  await db.schema
    .createIndex('project_alias')
    .on('project')
    .column('alias')
    .unique()
    .where(sql.ref('state'), '=', sql.lit('live'))
    .execute()
}

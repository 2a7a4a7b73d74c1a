import type { Kysely } from 'kysely'
import type { Engine } from '../engine.ts'

/** Sign-ins of the console, and which passwords nobody has chosen yet. */
export async function sessions(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const { int } = engine.types
  await db.schema
    .createTable('session')
    .addColumn('id', int, (c) => engine.primaryKey(c))
    .addColumn('account', int, (c) => c.notNull().references('account.id').onDelete('cascade'))
    .addColumn('hash', 'text', (c) => c.notNull().unique())
    .addColumn('address', 'text', (c) => c.notNull())
    .addColumn('user_agent', 'text', (c) => c.notNull())
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('used_at', int, (c) => c.notNull())
    .addColumn('expires_at', int, (c) => c.notNull())
    .execute()
  await db.schema.createIndex('session_account').on('session').column('account').execute()
  await db.schema.createIndex('session_used').on('session').column('used_at').execute()
  await db.schema
    .alterTable('credential')
    .addColumn('generated', int, (c) => c.notNull().defaultTo(0))
    .execute()
}

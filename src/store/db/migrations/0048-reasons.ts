import type { Kysely } from 'kysely'
import type { Engine } from '../engine.ts'

/** Beside sentences of failures what they say, as JSON, so that the console can translate it. */
export async function reasons(db: Kysely<unknown>, _engine: Engine): Promise<void> {
  for (const [table, column] of [
    ['transfer', 'error_says'],
    ['image_sync', 'error_says'],
    ['image_sync', 'list_error_says'],
    ['image_sync', 'note_says'],
    ['registry', 'health_says'],
  ] as const) {
    await db.schema.alterTable(table).addColumn(column, 'text').execute()
  }
  await db.schema
    .alterTable('transfer')
    .addColumn('note_says', 'text', (c) => c.notNull().defaultTo('[]'))
    .execute()
}

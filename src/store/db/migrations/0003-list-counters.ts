import { type Kysely, sql } from 'kysely'
import type { Engine } from '../engine.ts'

/** What lists of repositories need in order to give their totals without counting rows. */
export async function listCounters(db: Kysely<unknown>, engine: Engine): Promise<void> {
  for (const table of ['project_usage', 'usage_delta']) {
    await db.schema
      .alterTable(table)
      .addColumn('repository_count', engine.types.int, (c) => c.notNull().defaultTo(0))
      .execute()
  }
  await sql`
    update project_usage set repository_count = (
      select count(*) from repository r
      where r.project = project_usage.project and r.state = 'live')`.execute(db)
  await db.schema
    .createIndex('tag_accessory')
    .on('tag')
    .column('repository')
    .where(sql.ref('accessory'), '=', sql.lit(1))
    .execute()
}

import { type Kysely, sql } from 'kysely'
import type { Engine } from '../engine.ts'

/** What lists of artifacts show, kept on write so that a page is one query. */
export async function artifacts(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const { int } = engine.types
  const column = (table: string, name: string, type: 'int' | 'text', fallback?: number) =>
    db.schema
      .alterTable(table)
      .addColumn(name, type === 'int' ? int : 'text', (c) =>
        fallback === undefined ? c : c.notNull().defaultTo(fallback),
      )
      .execute()

  await column('manifest', 'config_media_type', 'text')
  await column('manifest', 'image_size', 'int', 0)
  await column('manifest', 'details', 'text')
  await column('manifest', 'listed', 'int', 1)
  await column('manifest', 'pulled_at', 'int')
  await column('tag', 'accessory', 'int', 0)
  await column('tag', 'pulled_at', 'int')
  await column('repository', 'artifact_count', 'int', 0)
  await column('usage_delta', 'artifact_count', 'int', 0)
  await db.schema
    .createIndex('manifest_listed')
    .on('manifest')
    .columns(['repository', 'id'])
    .where(sql.ref('state'), '=', sql.lit('live'))
    .where(sql.ref('listed'), '=', sql.lit(1))
    .execute()
}

import { type Kysely, sql } from 'kysely'
import type { Engine } from '../engine.ts'

/** What lists and indexes of charts show, kept on write. */
export async function charts(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const { int, name } = engine.types
  await db.schema
    .createTable('chart_version')
    .addColumn('manifest', int, (c) => c.primaryKey().references('manifest.id').onDelete('cascade'))
    .addColumn('project', int, (c) => c.notNull())
    .addColumn('repository', int, (c) => c.notNull())
    .addColumn('tag', int, (c) => c.references('tag.id').onDelete('set null'))
    .addColumn('folder', name, (c) => c.notNull())
    .addColumn('name', name, (c) => c.notNull())
    .addColumn('version', 'text', (c) => c.notNull())
    .addColumn('version_key', name, (c) => c.notNull())
    .addColumn('file_name', name, (c) => c.notNull())
    .addColumn('stamp', int, (c) => c.notNull())
    .addColumn('created_at', int, (c) => c.notNull())
    .addColumn('archive_digest', 'text', (c) => c.notNull())
    .addColumn('archive_size', int, (c) => c.notNull())
    .addColumn('provenance_digest', 'text')
    .addColumn('entry_size', int, (c) => c.notNull())
    .addColumn('entry', 'text', (c) => c.notNull())
    .execute()
  await db.schema
    .createIndex('chart_version_tag')
    .on('chart_version')
    .column('tag')
    .unique()
    .where(sql.ref('tag'), 'is not', null)
    .execute()
  await db.schema
    .createIndex('chart_version_repository')
    .on('chart_version')
    .columns(['repository', 'version_key'])
    .execute()
  await db.schema
    .createIndex('chart_version_file')
    .on('chart_version')
    .columns(['project', 'folder', 'file_name'])
    .execute()
  // Holds all that the state of an index is made of, so that asking for it reads no rows.
  await db.schema
    .createIndex('chart_version_shown')
    .on('chart_version')
    .columns(['project', 'folder', 'repository', 'manifest', 'stamp', 'entry_size', 'tag'])
    .where(sql.ref('tag'), 'is not', null)
    .execute()
}

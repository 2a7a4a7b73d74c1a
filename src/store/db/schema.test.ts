import { expect, test } from 'bun:test'
import { sql } from 'kysely'
import type { Queryable } from './database.ts'
import { createMigrated, createPostgresTest, createSqliteTest } from './test-databases.ts'

/*
 * One migration set makes the schema of both engines; what a developer sees on SQLite must hold on
 * PostgreSQL. Both are read from the engines' own catalogues and written down in the same words.
 */

interface Column {
  table: string
  name: string
  type: string
  nullable: boolean
}

interface Index {
  table: string
  columns: string
  unique: boolean
  partial: boolean
}

interface ForeignKey {
  table: string
  column: string
  target: string
  on_delete: string
}

const CLASSES: Record<string, string> = {
  INTEGER: 'int',
  bigint: 'int',
  TEXT: 'text',
  text: 'text',
  BLOB: 'bytes',
  bytea: 'bytes',
}

/** One line for each column, index and foreign key, sorted. */
function describe(columns: Column[], indexes: Index[], foreignKeys: ForeignKey[]): string[] {
  const lines = [
    ...columns.map(
      ({ table, name, type, nullable }) =>
        `${table}.${name} ${CLASSES[type] ?? type}${nullable ? '' : ' not null'}`,
    ),
    ...indexes.map(
      ({ table, columns, unique, partial }) =>
        `${unique ? 'unique' : 'index'} on ${table} (${columns})${partial ? ' partial' : ''}`,
    ),
    ...foreignKeys.map(
      ({ table, column, target, on_delete }) =>
        `${table}.${column} refers to ${target}, on delete ${on_delete.toLowerCase()}`,
    ),
  ]
  return lines.sort()
}

async function describeSqlite(db: Queryable): Promise<string[]> {
  const columns = await sql<Column & { nullable: number }>`
    select t.name as "table", c.name, c.type,
      -- A primary key of one integer is the row's own number.
      c."notnull" = 0 and not (c.pk = 1 and c.type = 'INTEGER') as nullable
    from sqlite_master t join pragma_table_info(t.name) c
    where t.type = 'table' and t.name not like 'sqlite_%' and t.name not like 'kysely_%'
  `.execute(db)
  const indexes = await sql<Index & { unique: number; partial: number }>`
    select t.name as "table", i."unique", i.partial,
      (select group_concat(name, ', ') from pragma_index_info(i.name) order by seqno) as columns
    from sqlite_master t join pragma_index_list(t.name) i
    where t.type = 'table' and t.name not like 'sqlite_%' and t.name not like 'kysely_%'
    union all
    select t.name, 1, 0, c.name from sqlite_master t join pragma_table_info(t.name) c
    where c.pk = 1 and c.type = 'INTEGER' and t.name not like 'sqlite_%' and
      (select count(*) from pragma_table_info(t.name) where pk > 0) = 1
  `.execute(db)
  const foreignKeys = await sql<ForeignKey>`
    select t.name as "table", f."from" as "column", f."table" || '.' || f."to" as target, on_delete
    from sqlite_master t join pragma_foreign_key_list(t.name) f
    where t.type = 'table'
  `.execute(db)
  return describe(columns.rows, indexes.rows, foreignKeys.rows)
}

async function describePostgres(db: Queryable): Promise<string[]> {
  const columns = await sql<Column>`
    select table_name as "table", column_name as name, data_type as type,
      is_nullable = 'YES' as nullable
    from information_schema.columns
    where table_schema = 'public' and table_name not like 'kysely_%'
  `.execute(db)
  const indexes = await sql<Index>`
    select t.relname as "table", i.indisunique as unique, i.indpred is not null as partial,
      (select string_agg(a.attname, ', ' order by a.attnum)
        from pg_attribute a where a.attrelid = i.indexrelid) as columns
    from pg_index i join pg_class t on t.oid = i.indrelid
    where t.relnamespace = 'public'::regnamespace and t.relname not like 'kysely_%'
  `.execute(db)
  const foreignKeys = await sql<ForeignKey>`
    select c.conrelid::regclass::text as "table", a.attname as "column",
      c.confrelid::regclass::text || '.' || f.attname as target,
      case c.confdeltype when 'c' then 'cascade' when 'n' then 'set null'
        when 'r' then 'restrict' else 'no action' end as on_delete
    from pg_constraint c
    join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    join pg_attribute f on f.attrelid = c.confrelid and f.attnum = c.confkey[1]
    where c.contype = 'f'
  `.execute(db)
  return describe(columns.rows, indexes.rows, foreignKeys.rows)
}

test('both engines have the same columns, indexes and foreign keys', async () => {
  const sqlite = await createMigrated(createSqliteTest)
  const postgres = await createMigrated(createPostgresTest)
  try {
    const ours = await describeSqlite(sqlite.db.query)
    // That the catalogues were read at all.
    expect(ours).toContain('project.name text not null')
    expect(ours).toContain('unique on project (name) partial')
    expect(ours).toContain('member.account refers to account.id, on delete cascade')
    expect(await describePostgres(postgres.db.query)).toEqual(ours)
  } finally {
    await sqlite.test.remove()
    await postgres.test.remove()
  }
}, 60_000)

test('names are sorted by bytes on both engines', async () => {
  for (const create of [createSqliteTest, createPostgresTest]) {
    const { db, test } = await createMigrated(create)
    try {
      for (const name of ['b', 'A', 'a-b', 'aa', 'a.b', 'é']) {
        const times = { created_at: 1, updated_at: 1 }
        await db.query
          .insertInto('project')
          .values({ name, is_public: 0, ...times })
          .execute()
      }
      const rows = await db.query
        .selectFrom('project')
        .select('name')
        .where('name', '!=', 'library')
        .orderBy('name')
        .execute()
      expect(rows.map((row) => row.name)).toEqual(['A', 'a-b', 'a.b', 'aa', 'b', 'é'])
    } finally {
      await test.remove()
    }
  }
}, 60_000)

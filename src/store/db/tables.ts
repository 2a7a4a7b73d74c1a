import { sql } from 'kysely'
import { AppError } from '../../lib/errors.ts'
import type { Db, Tx } from './database.ts'

/*
 * The tables as the catalogue of the database knows them, for what has to treat all of them alike:
 * a list kept by hand would forget the next one.
 */

export type ColumnKind = 'int' | 'text' | 'bytes'

export interface TableShape {
  name: string
  columns: { name: string; kind: ColumnKind }[]
  /** Columns of the primary key, in its order. */
  key: string[]
  /** Tables that its foreign keys lead to. */
  needs: string[]
  /** The column whose numbers the database counts up by itself. */
  counter: string | undefined
}

/** How the engines answer the same questions. */
interface Catalogue {
  columns: ReturnType<typeof sql<{ table: string; name: string; type: string; key: number }>>
  needs: ReturnType<typeof sql<{ table: string; target: string }>>
  counters: ReturnType<typeof sql<{ table: string; column: string }>>
}

const OWN = `not like 'sqlite\\_%' escape '\\'`
const NOT_KYSELY = `not like 'kysely\\_%' escape '\\'`

const CATALOGUES: Record<Db['engine']['name'], Catalogue> = {
  sqlite: {
    columns: sql`
      select t.name as "table", c.name, c.type, c.pk as key
      from sqlite_master t join pragma_table_info(t.name) c
      where t.type = 'table' and t.name ${sql.raw(OWN)} and t.name ${sql.raw(NOT_KYSELY)}
      order by t.name, c.cid`,
    needs: sql`
      select t.name as "table", f."table" as target
      from sqlite_master t join pragma_foreign_key_list(t.name) f where t.type = 'table'`,
    counters: sql`
      select t.name as "table", c.name as "column"
      from sqlite_master t join pragma_table_info(t.name) c
      where t.type = 'table' and c.pk > 0 and lower(t.sql) like '%autoincrement%'`,
  },
  postgres: {
    columns: sql`
      select t.relname as "table", a.attname as name, format_type(a.atttypid, null) as type,
        coalesce(array_position(i.indkey::int2[], a.attnum) + 1, 0)::int as key
      from pg_class t
      join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
      left join pg_index i on i.indrelid = t.oid and i.indisprimary
      where t.relkind = 'r' and t.relnamespace = current_schema()::regnamespace
        and t.relname ${sql.raw(NOT_KYSELY)}
      order by t.relname, a.attnum`,
    needs: sql`
      select t.relname as "table", f.relname as target
      from pg_constraint c
      join pg_class t on t.oid = c.conrelid
      join pg_class f on f.oid = c.confrelid
      where c.contype = 'f' and t.relnamespace = current_schema()::regnamespace`,
    counters: sql`
      select t.relname as "table", a.attname as "column"
      from pg_class t join pg_attribute a on a.attrelid = t.oid and a.attidentity <> ''
      where t.relkind = 'r' and t.relnamespace = current_schema()::regnamespace`,
  },
}

const KINDS: Record<string, ColumnKind> = {
  INTEGER: 'int',
  bigint: 'int',
  TEXT: 'text',
  text: 'text',
  BLOB: 'bytes',
  bytea: 'bytes',
}

/** In a database into which another one is being moved: how far that is. */
export const MOVE_LOG = 'moving'

/** Every table of the schema, those that others refer to before these. */
export async function readTables(db: Db): Promise<TableShape[]> {
  const catalogue = CATALOGUES[db.engine.name]
  const { rows: columns } = await catalogue.columns.execute(db.query)
  const { rows: needs } = await catalogue.needs.execute(db.query)
  const { rows: counters } = await catalogue.counters.execute(db.query)
  const names = [...new Set(columns.map(({ table }) => table))].filter((name) => name !== MOVE_LOG)
  const shapes = names.map((name): TableShape => {
    const own = columns.filter(({ table }) => table === name)
    return {
      name,
      columns: own.map((column) => ({ name: column.name, kind: kindOf(column) })),
      key: own
        .filter(({ key }) => key > 0)
        .sort((a, b) => a.key - b.key)
        .map((column) => column.name),
      needs: [...new Set(needs.filter(({ table }) => table === name).map((row) => row.target))],
      counter: counters.find(({ table }) => table === name)?.column,
    }
  })
  return inOrder(shapes)
}

function kindOf({ table, name, type }: { table: string; name: string; type: string }): ColumnKind {
  const kind = KINDS[type]
  if (kind) return kind
  throw new AppError('internal', `the column ${table}.${name} has the unknown type ${type}`)
}

/** @throws AppError internal when tables refer to each other in a circle */
function inOrder(shapes: readonly TableShape[]): TableShape[] {
  const left = new Map(shapes.map((shape) => [shape.name, shape]))
  const ordered: TableShape[] = []
  while (left.size > 0) {
    const ready = [...left.values()].filter(({ name, needs }) =>
      needs.every((other) => other === name || !left.has(other)),
    )
    if (ready.length === 0) {
      throw new AppError('internal', `tables in a circle: ${[...left.keys()].join(', ')}`)
    }
    for (const shape of ready) left.delete(shape.name)
    ordered.push(...ready)
  }
  return ordered
}

/** A value as both engines keep it. */
export type Value = number | string | Uint8Array | null
export type Values = Record<string, Value>

/** Rows and bytes of one page at most; one row may be larger. */
const PAGE_ROWS = 500
const PAGE_BYTES = 8 * 1024 * 1024

/** All rows after that key, by key, in pages of so few bytes that memory stays flat. */
export async function* pagesOf(
  db: Db,
  table: TableShape,
  start?: readonly Value[],
): AsyncGenerator<Values[]> {
  const key = sql.join(table.key.map((name) => sql.ref(name)))
  const after = (values: readonly Value[] | undefined) =>
    values ? sql`where (${key}) > (${sql.join(values)})` : sql``
  for (let last = start; ; ) {
    const { rows: sizes } = await sql<Values & { row_bytes: number }>`
      select ${key}, ${bytesOf(db, table)} as row_bytes from ${sql.table(table.name)}
      ${after(last)} order by ${key} limit ${PAGE_ROWS}`.execute(db.query)
    let bytes = 0
    const count = sizes.findIndex(({ row_bytes }) => {
      bytes += row_bytes
      return bytes > PAGE_BYTES
    })
    const taken = count < 0 ? sizes.length : Math.max(count, 1)
    if (taken === 0) return
    const { rows } = await sql<Values>`
      select ${sql.join(table.columns.map(({ name }) => sql.ref(name)))}
      from ${sql.table(table.name)} ${after(last)} order by ${key} limit ${taken}`.execute(db.query)
    yield rows.map((row) => clean(row, table))
    const end = sizes[taken - 1]
    last = table.key.map((name) => end?.[name] ?? null)
  }
}

function bytesOf(db: Db, { columns }: TableShape) {
  const length = db.engine.name === 'sqlite' ? sql`length` : sql`octet_length`
  const large = columns.filter(({ kind }) => kind !== 'int')
  if (large.length === 0) return sql<number>`0`
  return sql.join(
    large.map(({ name }) => sql`coalesce(${length}(${sql.ref(name)}), 0)`),
    sql` + `,
  )
}

/** What PostgreSQL does not take, though SQLite did: text with NUL, fractions where integers stand. */
function clean(row: Values, { columns }: TableShape): Values {
  for (const { name, kind } of columns) {
    const value = row[name]
    if (kind === 'int' && typeof value === 'number') row[name] = Math.round(value)
    if (typeof value === 'string' && value.includes('\0')) {
      row[name] = value.replaceAll('\0', '\uFFFD')
    }
  }
  return row
}

/** Statements take so many parameters on both engines. */
const PARAMETERS = 30_000

export async function insertRows(tx: Tx, table: TableShape, rows: readonly Values[]) {
  const names = table.columns.map(({ name }) => name)
  const columns = sql.join(names.map((name) => sql.ref(name)))
  const most = Math.floor(PARAMETERS / names.length)
  for (let i = 0; i < rows.length; i += most) {
    const values = rows
      .slice(i, i + most)
      .map((row) => sql`(${sql.join(names.map((name) => row[name] ?? null))})`)
    await sql`insert into ${sql.table(table.name)} (${columns}) values ${sql.join(values)}`.execute(
      tx,
    )
  }
}

export async function countRows(db: Db, table: TableShape): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from ${sql.table(table.name)}`.execute(db.query)
  return rows[0]?.count ?? 0
}

/** Removes every row of all tables. */
export async function emptyTables(tx: Tx, tables: readonly TableShape[]): Promise<void> {
  for (const { name } of tables.toReversed()) await sql`delete from ${sql.table(name)}`.execute(tx)
}

export async function hasTable(db: Db, table: string): Promise<boolean> {
  const { rows } = await (db.engine.name === 'sqlite'
    ? sql`select 1 from sqlite_master where type = 'table' and name = ${table}`
    : sql`select 1 from pg_class
        where relkind = 'r' and relname = ${table} and relnamespace = current_schema()::regnamespace`
  ).execute(db.query)
  return rows.length > 0
}

/** The last number that was given out; numbers are never given twice, also when the row is gone. */
export async function readCounter(db: Db, table: TableShape): Promise<number> {
  if (table.counter === undefined) return 0
  const { rows } = await (db.engine.name === 'sqlite'
    ? sql<{ last: number | null }>`
        select max(seq) as last from sqlite_sequence where name = ${table.name}`
    : sql<{ last: number | null }>`
        select pg_sequence_last_value(
          pg_get_serial_sequence(${table.name}, ${table.counter})::regclass) as last`
  ).execute(db.query)
  return rows[0]?.last ?? 0
}

/** The next row gets the number after `last`. */
export async function setCounter(db: Db, table: TableShape, last: number): Promise<void> {
  if (table.counter === undefined || last === 0) return
  if (db.engine.name === 'postgres') {
    const sequence = sql`pg_get_serial_sequence(${table.name}, ${table.counter})`
    await sql`select setval(${sequence}, ${last}::bigint)`.execute(db.query)
    return
  }
  await db.transaction(async (tx) => {
    await sql`delete from sqlite_sequence where name = ${table.name}`.execute(tx)
    await sql`insert into sqlite_sequence (name, seq) values (${table.name}, ${last})`.execute(tx)
  })
}

/**
 * Keeps triggers from firing. Returns what `resumeTriggers` needs, which must be kept in the same
 * transaction.
 */
export async function suspendTriggers(
  db: Db,
  tx: Tx,
  tables: readonly TableShape[],
): Promise<string[]> {
  if (db.engine.name === 'postgres') {
    for (const { name } of tables) {
      await sql`alter table ${sql.table(name)} disable trigger user`.execute(tx)
    }
    return tables.map(({ name }) => `alter table "${name}" enable trigger user`)
  }
  const { rows } = await sql<{ name: string; sql: string }>`
    select name, sql from sqlite_master where type = 'trigger' order by rowid`.execute(tx)
  for (const { name } of rows) await sql`drop trigger ${sql.ref(name)}`.execute(tx)
  return rows.map((row) => row.sql)
}

export async function resumeTriggers(tx: Tx, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(tx)
}

/** Figures by which PostgreSQL plans its statements; SQLite goes without. */
export async function analyse(db: Db): Promise<void> {
  if (db.engine.name === 'postgres') await sql`analyze`.execute(db.query)
}

/** Processes of Entrepot that are connected to this database, as far as it can be asked. */
export async function connectedServers(db: Db): Promise<number> {
  if (db.engine.name === 'sqlite') return 0
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from pg_stat_activity
    where datname = current_database() and application_name = 'entrepot'`.execute(db.query)
  return rows[0]?.count ?? 0
}

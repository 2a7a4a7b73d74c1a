import { type Kysely, sql } from 'kysely'
import type { Engine } from '../engine.ts'

/**
 * What the journal in the store still has to be told. Triggers note it: they cost a push no
 * statement of its own, see every way of changing a row, and also work while a program of the
 * former version still runs beside this one. Whoever rebuilds one of these tables on SQLite has to
 * make its triggers again.
 */
export async function journal(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const { int, name } = engine.types
  await db.schema
    .createTable('journal_change')
    .addColumn('id', int, (c) => engine.primaryKey(c))
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('owner', int, (c) => c.notNull())
    .addColumn('name', name, (c) => c.notNull())
    .addColumn('target', int)
    .addColumn('at', int, (c) => c.notNull())
    .execute()

  await db.schema
    .createTable('journal_head')
    .addColumn('id', int, (c) => c.primaryKey())
    .addColumn('lineage', 'text', (c) => c.notNull())
    .addColumn('replaces', 'text')
    .addColumn('sequence', int, (c) => c.notNull().defaultTo(0))
    .addColumn('acknowledged', int, (c) => c.notNull().defaultTo(0))
    .addColumn('snapshot_start', int)
    .addColumn('snapshot_end', int)
    .addColumn('next_start', int)
    .addColumn('next_cursor', 'text')
    .addColumn('snapshot_bytes', int, (c) => c.notNull().defaultTo(0))
    .addColumn('snapshot_objects', int, (c) => c.notNull().defaultTo(0))
    .addColumn('change_bytes', int, (c) => c.notNull().defaultTo(0))
    .addColumn('change_objects', int, (c) => c.notNull().defaultTo(0))
    .addColumn('writer', 'text')
    .addColumn('writer_until', int, (c) => c.notNull().defaultTo(0))
    .execute()

  for (const watched of WATCHED) {
    const statements =
      engine.name === 'sqlite' ? sqliteTriggers(watched) : postgresTriggers(watched)
    for (const statement of statements) await sql.raw(statement).execute(db)
  }
}

interface Watched {
  table: string
  /** An update of these columns counts, if one of them is another afterwards. */
  columns: string[]
  owner: string
  name?: string
  /** What is noted as the target, unless the row is deleted. */
  target?: string
}

/*
 * Only what a rebuild needs: not counters, times of pulls, nor what follows from other rows. A
 * deletion is an update of `state` or of the row that shows something.
 */
const WATCHED: readonly Watched[] = [
  {
    table: 'project',
    columns: ['name', 'alias', 'kind', 'is_public', 'quota', 'description', 'state'],
    owner: 'id',
  },
  {
    table: 'repository',
    columns: ['project', 'name', 'summary', 'description', 'state'],
    owner: 'id',
  },
  { table: 'repository_blob', columns: ['content'], owner: 'repository', name: 'digest' },
  { table: 'manifest', columns: ['content', 'state'], owner: 'repository', name: 'digest' },
  {
    table: 'tag',
    columns: ['manifest', 'immutable', 'updated_at'],
    owner: 'repository',
    name: 'name',
    target: 'manifest',
  },
]

const KINDS: Record<string, string> = { repository_blob: 'blob' }
const kindOf = ({ table }: Watched) => KINDS[table] ?? table

const COLUMNS = 'kind, owner, name, target, at'

function sqliteTriggers(watched: Watched): string[] {
  const { table, columns } = watched
  const changed = columns.map((column) => `old.${column} is not new.${column}`).join(' or ')
  const now = `cast(unixepoch('subsec') * 1000 as integer)`
  const note = (kind: string, row: 'old' | 'new') =>
    `insert into journal_change (${COLUMNS}) values ('${kind}', ${valuesOf(watched, row)}, ${now});`
  const kind = kindOf(watched)
  const triggers = [
    `create trigger journal_${table}_insert after insert on ${table}
      begin ${note(kind, 'new')} end`,
    `create trigger journal_${table}_update after update of ${columns.join(', ')} on ${table}
      when ${changed} begin ${note(kind, 'new')} end`,
    `create trigger journal_${table}_delete after delete on ${table}
      begin ${note(kind, 'old')} end`,
  ]
  if (table !== 'repository') return triggers
  return [
    ...triggers,
    `create trigger journal_repository_return after update of state on repository
      when ${IS_BACK} begin ${note('snapshot', 'new')} end`,
  ]
}

function postgresTriggers(watched: Watched): string[] {
  const { table, columns } = watched
  const changed = columns
    .map((column) => `old.${column} is distinct from new.${column}`)
    .join(' or ')
  const now = '(extract(epoch from clock_timestamp()) * 1000)::bigint'
  const noting = (name: string, kind: string, row: 'old' | 'new') =>
    `create function ${name}() returns trigger language plpgsql as $$ begin
      insert into journal_change (${COLUMNS}) values ('${kind}', ${valuesOf(watched, row)}, ${now});
      return null;
    end $$`
  const on = (name: string, when: string) =>
    `create trigger ${name} after ${when} execute function ${name}()`
  const kind = kindOf(watched)
  const [inserted, updated, deleted] = ['insert', 'update', 'delete'].map(
    (what) => `journal_${table}_${what}`,
  ) as [string, string, string]
  const triggers = [
    noting(inserted, kind, 'new'),
    on(inserted, `insert on ${table} for each row`),
    noting(updated, kind, 'new'),
    on(updated, `update of ${columns.join(', ')} on ${table} for each row when (${changed})`),
    noting(deleted, kind, 'old'),
    on(deleted, `delete on ${table} for each row`),
  ]
  if (table !== 'repository') return triggers
  const back = 'journal_repository_return'
  return [
    ...triggers,
    noting(back, 'snapshot', 'new'),
    on(back, `update of state on repository for each row when (${IS_BACK})`),
  ]
}

/** What a repository holds may have left the journal while the repository was in the trash. */
const IS_BACK = "old.state <> 'live' and new.state = 'live'"

function valuesOf({ owner, name, target }: Watched, row: 'old' | 'new'): string {
  const value = target && row === 'new' ? `${row}.${target}` : 'null'
  return `${row}.${owner}, ${name ? `${row}.${name}` : "''"}, ${value}`
}

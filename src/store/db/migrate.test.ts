import { expect, test } from 'bun:test'
import { sql } from 'kysely'
import { isAppError } from '../../lib/errors.ts'
import type { Db } from './database.ts'
import { executedMigrations, MIGRATION_NAMES, migrate } from './migrate.ts'
import {
  createPostgresTest,
  createSqliteTest,
  onEachEngine,
  type TestDatabase,
} from './test-databases.ts'

/** Up to here nothing was released, so there is no older program to live with. */
const FIRST_RELEASE = '0040'

const OLDER = MIGRATION_NAMES.slice(0, -1)

async function withDatabase(create: () => Promise<TestDatabase>, run: (db: Db) => Promise<void>) {
  const database = await create()
  try {
    await run(database.open())
  } finally {
    await database.remove()
  }
}

/** As a newer version leaves it. */
async function addMigration(db: Db, name: string) {
  const row = { name, timestamp: new Date().toISOString() }
  await sql`insert into kysely_migration (name, timestamp)
    values (${row.name}, ${row.timestamp})`.execute(db.query)
}

onEachEngine('migrations', (create) => {
  test('an older program takes a database to which a newer one only added', () =>
    withDatabase(create, async (db) => {
      await migrate(db)
      await migrate(db, OLDER)
      await addMigration(db, '9000-more')
      await migrate(db)
      expect(await executedMigrations(db)).toEqual([...MIGRATION_NAMES, '9000-more'])
    }))

  test('an older program refuses a database from which a newer one took something', () =>
    withDatabase(create, async (db) => {
      await migrate(db)
      await addMigration(db, '9000-drop.contract')
      const error = await migrate(db).then(
        () => undefined,
        (reason: unknown) => reason,
      )
      expect(isAppError(error, 'conflict') && error.message).toContain('9000-drop.contract')
    }))

  test('a program refuses a database of another line of versions', () =>
    withDatabase(create, async (db) => {
      await migrate(db, OLDER)
      await addMigration(db, '9000-more')
      const error = await migrate(db).then(
        () => undefined,
        (reason: unknown) => reason,
      )
      expect(isAppError(error, 'conflict')).toBe(true)
      expect(await executedMigrations(db)).toEqual([...OLDER, '9000-more'])
    }))
})

test('a migration that waits for a table lets others go first, and comes again', () =>
  withDatabase(createPostgresTest, async (db) => {
    await migrate(db, OLDER)
    const { promise, resolve } = Promise.withResolvers<void>()
    const held = db.transaction(async (tx) => {
      // Reads are let through, the migration's writes are not.
      await sql`lock table kysely_migration in share mode`.execute(tx)
      await promise
    })
    const waiting = async () => {
      const { rows } = await sql<{ count: number }>`
        select count(*) as count from pg_locks where not granted`.execute(db.query)
      return rows[0]?.count === 1
    }
    const until = async (wanted: boolean) => {
      while ((await waiting()) !== wanted) await Bun.sleep(20)
    }
    const migrated = migrate(db)
    await until(true)
    await until(false)
    await until(true)
    resolve()
    await Promise.all([held, migrated])
    expect(await executedMigrations(db)).toEqual(MIGRATION_NAMES)
  }))

interface Column {
  table: string
  name: string
  type: string
  required: number
}

/** What a program of an older version relies on. */
async function shapeOf(db: Db) {
  const columns = await sql<Column>`
    select t.name as "table", c.name, c.type, c."notnull" = 1 and c.dflt_value is null as required
    from sqlite_master t join pragma_table_info(t.name) c
    where t.type = 'table' and t.name not like 'sqlite_%' and t.name not like 'kysely_%'
  `.execute(db.query)
  const rules = await sql<{ table: string; rule: string }>`
    select t.name as "table", i.name as rule
    from sqlite_master t join pragma_index_list(t.name) i
    where t.type = 'table' and i."unique" = 1
  `.execute(db.query)
  return { columns: columns.rows, rules: rules.rows }
}

/** Sentences on what a program without the change would stumble over. */
function breaksOf(
  before: Awaited<ReturnType<typeof shapeOf>>,
  after: Awaited<ReturnType<typeof shapeOf>>,
): string[] {
  const tables = new Set(before.columns.map(({ table }) => table))
  const textOf = ({ table, name, type }: Column) => `${table}.${name} ${type}`
  const now = new Map(after.columns.map((column) => [textOf(column), column]))
  const then = new Map(before.columns.map((column) => [textOf(column), column]))
  const ruleOf = ({ table, rule }: { table: string; rule: string }) => `${table} ${rule}`
  const rules = new Set(before.rules.map(ruleOf))
  return [
    ...before.columns
      .filter((column) => !now.has(textOf(column)))
      .map((c) => `${textOf(c)} is gone`),
    ...after.columns
      .filter((c) => tables.has(c.table) && c.required === 1 && then.get(textOf(c))?.required !== 1)
      .map((c) => `${textOf(c)} must be given now`),
    ...after.rules
      .filter((rule) => tables.has(rule.table) && !rules.has(ruleOf(rule)))
      .map((rule) => `${ruleOf(rule)} must be unique now`),
  ]
}

test('migrations after the first release only add, unless their name says otherwise', () =>
  withDatabase(createSqliteTest, async (db) => {
    const older = MIGRATION_NAMES.filter((name) => name < FIRST_RELEASE)
    await migrate(db, older)
    for (const [i, name] of MIGRATION_NAMES.entries()) {
      if (older.includes(name)) continue
      const before = await shapeOf(db)
      await migrate(db, MIGRATION_NAMES.slice(0, i + 1))
      if (!name.endsWith('.contract')) expect(breaksOf(before, await shapeOf(db))).toEqual([])
    }
  }))

test('what only looks like an addition is told', () =>
  withDatabase(createSqliteTest, async (db) => {
    await migrate(db)
    const before = await shapeOf(db)
    await sql`alter table setting rename column value to content`.execute(db.query)
    await sql`create unique index one_email on account (email)`.execute(db.query)
    await sql`alter table account add column nick text`.execute(db.query)
    expect(breaksOf(before, await shapeOf(db))).toEqual([
      'setting.value TEXT is gone',
      'setting.content TEXT must be given now',
      'account one_email must be unique now',
    ])
  }))

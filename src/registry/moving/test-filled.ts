import { sql } from 'kysely'
import type { Db } from '../../store/db/database.ts'
import {
  emptyTables,
  insertRows,
  type TableShape,
  type Value,
  type Values,
} from '../../store/db/tables.ts'

/**
 * Puts rows into every table of a SQLite database, whatever tables there are: values that differ,
 * with bytes, numbers above 2^32, empty and missing ones, and foreign keys that lead somewhere.
 */
export async function fillTables(
  db: Db,
  tables: readonly TableShape[],
  rows = (_table: string) => 3,
) {
  const { rows: links } = await sql<{ table: string; column: string; target: string; to: string }>`
    select t.name as "table", f."from" as "column", f."table" as target, f."to" as "to"
    from sqlite_master t join pragma_foreign_key_list(t.name) f where t.type = 'table'`.execute(
    db.query,
  )
  const { rows: required } = await sql<{ name: string }>`
    select t.name || '.' || c.name as name from sqlite_master t join pragma_table_info(t.name) c
    where t.type = 'table' and c."notnull" = 1`.execute(db.query)
  // Those that migrations have made.
  await db.transaction((tx) => emptyTables(tx, tables))
  const demanded = new Set(required.map(({ name }) => name))

  for (const table of tables) {
    const made = Array.from({ length: rows(table.name) }, (_, i): Values => {
      const row: Values = {}
      for (const [at, { name, kind }] of table.columns.entries()) {
        const link = links.find((one) => one.table === table.name && one.column === name)
        const isKey = table.key.includes(name)
        const mayLack = !isKey && !demanded.has(`${table.name}.${name}`)
        if (mayLack && (i + at) % 3 === 0) row[name] = null
        else if (link) row[name] = sampleOf(link.target, link.to, kindIn(tables, link), i)
        else row[name] = sampleOf(table.name, name, kind, i)
      }
      return row
    })
    await db.transaction((tx) => insertRows(tx, table, made))
  }
}

function kindIn(tables: readonly TableShape[], { target, to }: { target: string; to: string }) {
  const found = tables.find(({ name }) => name === target)
  return found?.columns.find(({ name }) => name === to)?.kind ?? 'int'
}

function sampleOf(table: string, column: string, kind: 'int' | 'text' | 'bytes', i: number): Value {
  if (kind === 'int') return ['id', 'seq'].includes(column) ? i + 1 : i === 1 ? 2 ** 40 + 1 : i + 1
  if (kind === 'bytes') return new Uint8Array([0, 255, i % 256, (i >> 8) % 256])
  return i === 2 ? `Ünïcode “${column}” 中文 ${i}` : `${table}-${column}-${i}`
}

import { AppError } from '../../lib/errors.ts'
import type { Db } from '../../store/db/database.ts'
import { migrate } from '../../store/db/migrate.ts'
import {
  analyse,
  countRows,
  emptyTables,
  insertRows,
  pagesOf,
  readCounter,
  readTables,
  setCounter,
  suspendTriggers,
  type TableShape,
} from '../../store/db/tables.ts'
import { sumOfRows } from './compare-rows.ts'
import type { MoveLog } from './move-log.ts'

export interface RowsReport {
  tables: number
  rows: number
  /** Of all rows of the source, as `sumOfTables` makes it. */
  sum: string
}

export interface CopyRowsDeps {
  source: Db
  target: Db
  log: MoveLog
  /** Called after each batch. */
  onProgress(progress: { table: string; tables: number; tablesDone: number; rows: number }): void
}

/**
 * Copies every row of every table, from where an earlier run ended, and compares both sides. What is
 * in the target afterwards is what is in the source; its triggers sleep until the end of the move.
 * @throws AppError conflict when the source changed meanwhile
 */
export async function copyRows(deps: CopyRowsDeps): Promise<RowsReport> {
  const { source, target, log } = deps
  await migrate(target)
  const tables = await readTables(target)
  demandSameTables(await readTables(source), tables)
  if ((await log.get('begun')) === undefined) await begin(target, tables, log)

  let rows = 0
  for (const [i, table] of tables.entries()) {
    rows += await copyTable(deps, table, (copied) =>
      deps.onProgress({
        table: table.name,
        tables: tables.length,
        tablesDone: i,
        rows: rows + copied,
      }),
    )
  }
  const sums: TableSum[] = []
  for (const table of tables) sums.push([table.name, await compareTable(deps, table)])
  for (const table of tables) await setCounter(target, table, await readCounter(source, table))
  await analyse(target)
  return { tables: tables.length, rows, sum: sumOf(sums) }
}

/** A column that one side lacks would be lost without a word. */
function demandSameTables(source: readonly TableShape[], target: readonly TableShape[]): void {
  const describe = (tables: readonly TableShape[]) =>
    tables.flatMap(({ name, columns }) => columns.map((column) => `${name}.${column.name}`)).sort()
  const [ours, theirs] = [describe(source), describe(target)]
  const different = [
    ...ours.filter((column) => !theirs.includes(column)),
    ...theirs.filter((column) => !ours.includes(column)),
  ]
  if (different.length === 0) return
  throw new AppError(
    'conflict',
    `the two databases are not of the same version (${different.slice(0, 5).join(', ')}): start this ` +
      'version of Entrepot once on the former one, stop it, and move then',
  )
}

/** Tells whether a source is as it was when it was copied. @throws AppError conflict */
export async function sumOfTables(source: Db, target: Db): Promise<string> {
  const tables = await readTables(target)
  demandSameTables(await readTables(source), tables)
  const sums: TableSum[] = []
  for (const table of tables) sums.push([table.name, await sumOfRows(source, table)])
  return sumOf(sums)
}

type TableSum = [table: string, sum: string]

function sumOf(sums: readonly TableSum[]): string {
  const sorted = sums.toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Bun.CryptoHasher.hash('sha256', JSON.stringify(sorted), 'hex')
}

/** Migrations have made some rows, which the source has too. */
async function begin(target: Db, tables: readonly TableShape[], log: MoveLog): Promise<void> {
  const triggers = await log.get('triggers')
  await target.transaction(async (tx) => {
    await emptyTables(tx, tables)
    if (triggers === undefined) {
      await log.set(tx, 'triggers', JSON.stringify(await suspendTriggers(target, tx, tables)))
    }
    await log.set(tx, 'begun', 'yes')
  })
}

async function copyTable(
  { source, target, log }: CopyRowsDeps,
  table: TableShape,
  onProgress: (rows: number) => void,
): Promise<number> {
  let { after, rows, isDone } = await log.table(table.name)
  if (isDone) return rows
  for await (const page of pagesOf(source, table, after)) {
    const last = page.at(-1)
    after = table.key.map((name) => last?.[name] ?? null)
    rows += page.length
    const progress = { after, rows, isDone: false }
    // Nobody is promised anything before the end: a power loss costs the last batches.
    await target.transaction(
      async (tx) => {
        await insertRows(tx, table, page)
        await log.noteTable(tx, table.name, progress)
      },
      { durable: false },
    )
    onProgress(rows)
  }
  await target.transaction((tx) => log.noteTable(tx, table.name, { after, rows, isDone: true }))
  return rows
}

/** Returns the checksum of the table. */
async function compareTable({ source, target }: CopyRowsDeps, table: TableShape): Promise<string> {
  const [rows, copied] = [await countRows(source, table), await countRows(target, table)]
  if (rows === copied) {
    const sum = await sumOfRows(source, table)
    if (sum === (await sumOfRows(target, table))) return sum
  }
  throw new AppError(
    'conflict',
    `the table ${table.name} has other rows than its copy (${rows} and ${copied}): the former ` +
      'database was changed since the move began; run it again with --start-over',
  )
}

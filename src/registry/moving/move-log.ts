import { sql } from 'kysely'
import { AppError } from '../../lib/errors.ts'
import { newHex } from '../../lib/ids.ts'
import type { Db, Tx } from '../../store/db/database.ts'
import { executedMigrations } from '../../store/db/migrate.ts'
import { hasTable, MOVE_LOG, readTables, type Value } from '../../store/db/tables.ts'

/*
 * How far the move into a database is, in a table of that database: each batch of rows and the note
 * of it are one transaction, so that a move that was killed goes on with the next row. The table goes
 * with the move; a server does not start on a database that has it.
 */

export interface TableProgress {
  /** Key of the last row that was copied. */
  after: Value[] | undefined
  rows: number
  isDone: boolean
}

export interface MoveLog {
  table(name: string): Promise<TableProgress>
  noteTable(tx: Tx, name: string, progress: TableProgress): Promise<void>
  get(key: string): Promise<string | undefined>
  set(tx: Tx, key: string, value: string): Promise<void>
  /** Forgets how far it was; what is there is removed again. */
  startOver(): Promise<void>
  /** In the last transaction of the move. */
  drop(tx: Tx): Promise<void>
}

const TABLE = sql.table(MOVE_LOG)
/** Which of several moves may write. */
const RUN = 'run'
const UNTOUCHED: TableProgress = { after: undefined, rows: 0, isDone: false }

/**
 * What an earlier move has left in the database. Of several that write to it, as from different
 * machines, the one that opened the log last goes on: the writes of the others fail with `conflict`.
 * @throws AppError conflict when it holds something else
 */
export async function openMoveLog(db: Db, source: string): Promise<MoveLog> {
  if (!(await hasTable(db, MOVE_LOG))) {
    if ((await executedMigrations(db)).length > 0 || (await readTables(db)).length > 0) {
      throw new AppError(
        'conflict',
        'the database to move to is not empty: name an empty one on which no server was started; of ' +
          'SQLite, put entrepot.db of the data folder aside',
      )
    }
    await db.transaction(async (tx) => {
      await sql`create table ${TABLE} (key text primary key, value text not null)`.execute(tx)
      await put(tx, 'source', source)
    })
  }
  if ((await get(db, 'source')) !== source) {
    throw new AppError(
      'conflict',
      'another installation was being moved into this database; name an empty one',
    )
  }
  const run = newHex(8)
  await db.transaction((tx) => put(tx, RUN, run))

  /** Holds the row until the end of the transaction, so that nobody takes over within it. */
  async function demandRun(tx: Tx): Promise<void> {
    const { numAffectedRows } = await sql`
      update ${TABLE} set value = value where key = ${RUN} and value = ${run}`.execute(tx)
    if (numAffectedRows === 1n) return
    throw new AppError(
      'conflict',
      'another "entrepot migrate" moves into this database; this one has ended',
    )
  }

  async function note(tx: Tx, key: string, value: string): Promise<void> {
    await demandRun(tx)
    await put(tx, key, value)
  }

  return {
    async table(name) {
      const value = await get(db, `table:${name}`)
      return value === undefined ? UNTOUCHED : { ...UNTOUCHED, ...JSON.parse(value) }
    },
    noteTable: (tx, name, progress) => note(tx, `table:${name}`, JSON.stringify(progress)),
    get: (key) => get(db, key),
    set: note,
    async startOver() {
      await db.transaction(async (tx) => {
        await demandRun(tx)
        await sql`delete from ${TABLE} where key like 'table:%' or key = 'begun'`.execute(tx)
      })
    },
    async drop(tx) {
      await demandRun(tx)
      await sql`drop table ${TABLE}`.execute(tx)
    },
  }
}

async function get(db: Db, key: string): Promise<string | undefined> {
  const { rows } = await sql<{ value: string }>`
    select value from ${TABLE} where key = ${key}`.execute(db.query)
  return rows[0]?.value
}

async function put(tx: Tx, key: string, value: string): Promise<void> {
  await sql`insert into ${TABLE} (key, value) values (${key}, ${value})
    on conflict (key) do update set value = excluded.value`.execute(tx)
}

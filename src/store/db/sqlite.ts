import { Database as BunDatabase, type SQLQueryBindings, type Statement } from 'bun:sqlite'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import { AppError } from '../../lib/errors.ts'
import type { Db, TransactionOptions, Tx } from './database.ts'
import { sqliteEngine } from './engine.ts'
import type { Schema } from './schema.ts'
import { openWalSync, type WalSync } from './wal-sync.ts'

/*
 * Group commit. Every transaction is a savepoint inside one outer BEGIN IMMEDIATE … COMMIT, which
 * ends when no transaction is waiting any more; so a hundred small pushes in one tick pay for one
 * commit. The outer transaction commits with synchronous=NORMAL, which writes the log but does
 * not sync it; the sync of the log runs on another thread and is shared by all who wait for it.
 * A durable transaction resolves after that sync, which gives what synchronous=FULL promises
 * without stopping the event loop for the disk.
 *
 * Several processes share the file. SQLite's own busy handler would freeze the event loop, so it
 * is off and BEGIN is tried again asynchronously.
 */

const BUSY_LIMIT_MS = 30_000
const STATEMENT_CACHE = 500

export interface SqliteOptions {
  /** The database file; its folder exists. */
  file: string
  /** True in the one process that moves the log into the database; see `checkpoint`. */
  checkpoints?: boolean
}

export interface SqliteDb extends Db {
  /** Moves the write-ahead log into the database as far as readers allow. */
  checkpoint(): void
}

/** Opens (and creates) a SQLite database in WAL mode. */
export function openSqlite(options: SqliteOptions): SqliteDb {
  const writer = new BunDatabase(options.file, { create: true })
  writer.run('PRAGMA busy_timeout = 5000')
  writer.run('PRAGMA journal_mode = WAL')
  writer.run('PRAGMA synchronous = NORMAL')
  writer.run('PRAGMA foreign_keys = ON')
  writer.run(`PRAGMA wal_autocheckpoint = ${options.checkpoints === false ? 0 : 1000}`)
  writer.run('PRAGMA busy_timeout = 0')
  const reader = new BunDatabase(options.file, { readonly: true })
  reader.run('PRAGMA busy_timeout = 5000')
  reader.run('PRAGMA mmap_size = 268435456')

  const commits = createGroupCommit(writer, openWalSync(options.file))
  const kysely = new Kysely<Schema>({
    dialect: {
      createAdapter: () => new GroupCommitAdapter(),
      createDriver: () => createDriver(reader, writer, commits),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  })

  return {
    engine: sqliteEngine,
    query: kysely,
    async transaction<T>(work: (tx: Tx) => Promise<T>, options: TransactionOptions = {}) {
      const result = await kysely.transaction().execute(work)
      if (options.durable !== false) await commits.durable()
      return result
    },
    checkpoint() {
      writer.run('PRAGMA wal_checkpoint(PASSIVE)')
    },
    async close() {
      await commits.idle()
      await kysely.destroy()
      await commits.close()
      reader.close()
      writer.close()
    },
  }
}

/** Reads run beside the writer, and schema changes belong to the migration's transaction. */
class GroupCommitAdapter extends SqliteAdapter {
  override get supportsMultipleConnections() {
    return true
  }
  override get supportsTransactionalDdl() {
    return true
  }
}

interface GroupCommit {
  /** Waits for its turn and opens a savepoint. */
  begin(): Promise<void>
  /** Keeps the savepoint, lets the next transaction begin, resolves at the outer commit. */
  commit(): Promise<void>
  rollback(): void
  /** Resolves when everything committed so far would survive a power loss. */
  durable(): Promise<void>
  /** Resolves when no transaction is open. */
  idle(): Promise<void>
  close(): Promise<void>
}

function createGroupCommit(writer: BunDatabase, wal: WalSync): GroupCommit {
  let outerOpen = false
  let waiters: { resolve: () => void; reject: (error: unknown) => void }[] = []
  const turn = createTurn()

  async function openOuter(): Promise<void> {
    const deadline = Date.now() + BUSY_LIMIT_MS
    for (let pause = 1; ; pause = Math.min(pause * 2, 16)) {
      try {
        writer.run('BEGIN IMMEDIATE')
        break
      } catch (error) {
        if (!isBusy(error) || Date.now() > deadline) throw wireError(error)
        await Bun.sleep(pause * (0.5 + Math.random()))
      }
    }
    outerOpen = true
    // Whoever is ready in this tick joins; then one commit for all.
    setImmediate(() => void closeOuter())
  }

  async function closeOuter(): Promise<void> {
    await turn.take()
    const settled = waiters
    waiters = []
    outerOpen = false
    try {
      writer.run('COMMIT')
      for (const { resolve } of settled) resolve()
    } catch (error) {
      if (writer.inTransaction) writer.run('ROLLBACK')
      for (const { reject } of settled) reject(wireError(error))
    }
    turn.pass()
  }

  /** A full disk or an I/O error makes SQLite roll back everything, the neighbours too. */
  function lostOuter(): boolean {
    if (writer.inTransaction) return false
    const lost = waiters
    waiters = []
    outerOpen = false
    const error = new AppError('unavailable', 'the database rolled this change back; try again')
    for (const { reject } of lost) reject(error)
    return true
  }

  return {
    async begin() {
      await turn.take()
      try {
        if (!outerOpen) await openOuter()
        writer.run('SAVEPOINT work')
      } catch (error) {
        turn.pass()
        throw error
      }
    },
    async commit() {
      try {
        writer.run('RELEASE work')
      } catch (error) {
        turn.pass()
        throw wireError(error)
      }
      const committed = new Promise<void>((resolve, reject) => waiters.push({ resolve, reject }))
      turn.pass()
      await committed
    },
    rollback() {
      if (!lostOuter()) {
        writer.run('ROLLBACK TO work')
        writer.run('RELEASE work')
      }
      turn.pass()
    },
    durable: () => wal.sync(),
    async idle() {
      while (outerOpen || turn.busy()) await Bun.sleep(1)
    },
    close: () => wal.close(),
  }
}

/** First come, first served. */
function createTurn() {
  let held = false
  const queue: (() => void)[] = []
  return {
    async take(): Promise<void> {
      if (!held) {
        held = true
        return
      }
      await new Promise<void>((resolve) => queue.push(resolve))
    },
    pass(): void {
      const next = queue.shift()
      if (next) next()
      else held = false
    },
    busy: () => held,
  }
}

function createDriver(reader: BunDatabase, writer: BunDatabase, commits: GroupCommit): Driver {
  const onReader = createRunner(reader)
  const onWriter = createRunner(writer)

  class Connection implements DatabaseConnection {
    inTransaction = false

    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      if (this.inTransaction) return onWriter<R>(query)
      if (onlyReads(query)) return onReader<R>(query)
      await commits.begin()
      let result: QueryResult<R>
      try {
        result = onWriter<R>(query)
      } catch (error) {
        commits.rollback()
        throw error
      }
      await commits.commit()
      await commits.durable()
      return result
    }

    // An open iterator would keep the write-ahead log from being reset.
    streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
      throw new Error('streamed queries are not offered: read pages by key')
    }
  }

  return {
    async init() {},
    async acquireConnection() {
      return new Connection()
    },
    async beginTransaction(connection) {
      await commits.begin()
      if (connection instanceof Connection) connection.inTransaction = true
    },
    async commitTransaction(connection) {
      if (connection instanceof Connection) connection.inTransaction = false
      await commits.commit()
    },
    async rollbackTransaction(connection) {
      // Kysely also rolls back when a commit failed; there is nothing left to undo then.
      if (!(connection instanceof Connection) || !connection.inTransaction) return
      connection.inTransaction = false
      commits.rollback()
    },
    async releaseConnection() {},
    async destroy() {},
  }
}

function createRunner(database: BunDatabase) {
  const statements = new Map<string, Statement>()
  return <R>(query: CompiledQuery): QueryResult<R> => {
    let statement = statements.get(query.sql)
    try {
      if (!statement) {
        statement = database.prepare(query.sql)
        if (statements.size >= STATEMENT_CACHE) {
          for (const old of statements.values()) old.finalize()
          statements.clear()
        }
        statements.set(query.sql, statement)
      }
      const parameters = query.parameters as SQLQueryBindings[]
      if (statement.columnNames.length > 0) {
        return { rows: statement.all(...parameters) as R[] }
      }
      const { changes, lastInsertRowid } = statement.run(...parameters)
      return {
        rows: [],
        numAffectedRows: BigInt(changes),
        insertId: BigInt(lastInsertRowid),
      }
    } catch (error) {
      throw wireError(error)
    }
  }
}

function onlyReads({ query, sql }: CompiledQuery): boolean {
  if (query.kind === 'SelectQueryNode') return true
  return query.kind === 'RawNode' && /^\s*(select|with|pragma table_|explain)\b/i.test(sql)
}

function sqliteCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

function isBusy(error: unknown): boolean {
  return sqliteCode(error).startsWith('SQLITE_BUSY')
}

/** Errors that callers act on; constraint violations stay what they are. */
function wireError(error: unknown): unknown {
  const code = sqliteCode(error)
  if (code === 'SQLITE_FULL') {
    return new AppError('storage_full', 'the disk that holds the database is full', {}, error)
  }
  if (isBusy(error)) {
    return new AppError('unavailable', 'the database is busy; try again', { retryAfter: 1 }, error)
  }
  return error
}

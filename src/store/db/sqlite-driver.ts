import type { Database, SQLQueryBindings, Statement } from 'bun:sqlite'
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from 'kysely'
import type { GroupCommit, Work } from './group-commit.ts'
import { wireError } from './sqlite-errors.ts'

const STATEMENT_CACHE = 500

export interface SqliteDriverOptions {
  reader: Database
  writer: Database
  commits: GroupCommit
  /** Resolves when everything that was committed so far would survive a power loss. */
  durable(): Promise<void>
}

export interface SqliteDriver extends Driver {
  /** Lets go of the cached statements, without which SQLite cannot close its files. */
  finalize(): void
}

/** Reads on one connection, writes and transactions on the other through the group commit. */
export function createSqliteDriver(options: SqliteDriverOptions): SqliteDriver {
  const { commits } = options
  const onReader = createRunner(options.reader)
  const onWriter = createRunner(options.writer)

  class Connection implements DatabaseConnection {
    work: Work | undefined

    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      // After the end of a transaction its work stays here and refuses what comes too late:
      // run on its own, such a statement would outlive the rollback.
      if (this.work) return this.work.run(() => onWriter.run<R>(query))
      if (onlyReads(query)) return onReader.run<R>(query)
      const work = await commits.begin()
      let result: QueryResult<R>
      try {
        result = work.run(() => onWriter.run<R>(query))
      } catch (error) {
        work.rollback()
        throw error
      }
      await work.commit()
      await options.durable()
      return result
    }

    // An open iterator would keep the write-ahead log from being reset.
    streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
      throw new Error('streamed queries are not offered: read pages by key')
    }
  }

  const own = (connection: DatabaseConnection): Connection => {
    if (connection instanceof Connection) return connection
    throw new Error('a connection of another driver')
  }

  return {
    async init() {},
    async acquireConnection() {
      return new Connection()
    },
    async beginTransaction(connection) {
      own(connection).work = await commits.begin()
    },
    async commitTransaction(connection) {
      await own(connection).work?.commit()
    },
    // Kysely also rolls back when a commit failed; there is nothing left to undo then.
    async rollbackTransaction(connection) {
      own(connection).work?.rollback()
    },
    async releaseConnection() {},
    async destroy() {},
    finalize() {
      onReader.finalize()
      onWriter.finalize()
    },
  }
}

function createRunner(database: Database) {
  const statements = new Map<string, Statement>()

  function finalize() {
    for (const statement of statements.values()) statement.finalize()
    statements.clear()
  }

  function prepare(sql: string): Statement {
    let statement = statements.get(sql)
    if (!statement) {
      statement = database.prepare(sql)
      if (statements.size >= STATEMENT_CACHE) finalize()
      statements.set(sql, statement)
    }
    return statement
  }

  return {
    finalize,
    run<R>(query: CompiledQuery): QueryResult<R> {
      try {
        const statement = prepare(query.sql)
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
    },
  }
}

function onlyReads({ query, sql }: CompiledQuery): boolean {
  if (query.kind === 'SelectQueryNode') return true
  return query.kind === 'RawNode' && /^\s*(select|with|pragma table_|explain)\b/i.test(sql)
}

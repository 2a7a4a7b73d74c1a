import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  type Kysely,
  PostgresAdapter,
  type QueryResult,
  sql,
} from 'kysely'
import type pg from 'pg'
import type { Places } from './places.ts'
import {
  acquireError,
  commitError,
  conflictError,
  isBroken,
  isConflict,
  isOutdated,
  statementError,
  wireError,
} from './postgres-errors.ts'
import type { PreparedQuery } from './prepared.ts'

const ATTEMPTS = 5
/** A change of the schema that waits for a lock makes everybody else wait behind it. */
const SCHEMA_LOCK_MS = 2_000

/** The pause before the next try after a conflict, longer each time. */
export function conflictPause(attempt: number): Promise<void> {
  return Bun.sleep(Math.random() * 10 * 2 ** attempt)
}

/** True while a conflict is worth another try. */
export function mayRetry(error: unknown, attempt: number): boolean {
  return isConflict(error) && attempt < ATTEMPTS
}

/** How a driver gets its connections, and how its transactions begin and end. */
export interface TransactionShape {
  /** Each is of one statement, which PostgreSQL begins and commits by itself. */
  isSingle?: boolean
  /** A connection is given before all others who wait get one. */
  isUrgent?: boolean
}

/** Marks names of statements that a migration has made useless, in all connections at once. */
let generation = 0

/**
 * Kysely over a pool. Not the driver that Kysely has: every failure, also outside of transactions,
 * gets its code here, single statements are tried again after a conflict, and a connection that was
 * lost in the middle is thrown away.
 *
 * A round trip costs more than what most statements do, and locks are held meanwhile. So what need
 * not be waited for, the begin and deferred statements, goes out in one piece with what follows.
 */
export function createPostgresDriver(
  pool: pg.Pool,
  places: Places,
  { isSingle = false, isUrgent = false }: TransactionShape = {},
): Driver {
  class Connection implements DatabaseConnection {
    readonly client: pg.PoolClient
    isBroken = false
    inTransaction = false
    /** Statements were sent in this transaction, which is of one. */
    private isSpent = false
    /** What is sent stays here until the next one that is waited for. */
    private isHeldBack = false
    /** The first failure of what was sent and not waited for. */
    private failure: Promise<unknown> = Promise.resolve(undefined)

    constructor(client: pg.PoolClient) {
      this.client = client
    }

    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      if (this.inTransaction) return this.runInTransaction<R>(query)
      for (let attempt = 1; ; attempt++) {
        try {
          return await this.run<R>(query)
        } catch (error) {
          if (!mayRetry(error, attempt)) throw wireError(conflictError(error))
          await conflictPause(attempt)
        }
      }
    }

    begin(): void {
      this.inTransaction = true
      if (isSingle) return
      this.holdBack()
      this.defer(this.send('begin'))
    }

    async commit(): Promise<void> {
      if (isSingle) return
      const earlier = this.failure
      const committing = this.client.query('commit')
      this.letGo()
      const { command } = await committing.catch(async (error: unknown) => {
        this.isBroken = true
        throw commitError((await earlier) ?? error)
      })
      const failure = await earlier
      if (failure !== undefined) throw commitError(failure)
      // What PostgreSQL answers when a statement before has failed.
      if (command === 'ROLLBACK') throw new Error('a statement of this transaction has failed')
    }

    async rollback(): Promise<void> {
      this.letGo()
      if (isSingle || this.isBroken) return
      await this.client.query('rollback').catch(() => {
        // Thrown away with all that was done on it; the reason of the rollback is what matters.
        this.isBroken = true
      })
    }

    streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
      throw new Error('streamed queries are not offered: read pages by key')
    }

    private async runInTransaction<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      if (isSingle && this.isSpent) throw new Error('this transaction is of one statement')
      this.isSpent = true
      const earlier = this.failure
      if (isPrepared(query) && query.isDeferred && !isSingle) {
        this.holdBack()
        this.defer(this.run<R>(query))
        return { rows: [] }
      }
      const running = this.run<R>(query)
      this.letGo()
      try {
        return await running
      } catch (error) {
        const failure = (await earlier) ?? error
        throw isSingle ? commitError(failure) : statementError(failure)
      }
    }

    private holdBack(): void {
      if (!this.isHeldBack) this.client.connection.stream.cork()
      this.isHeldBack = true
    }

    private letGo(): void {
      if (this.isHeldBack) this.client.connection.stream.uncork()
      this.isHeldBack = false
    }

    private defer(work: Promise<unknown>): void {
      const earlier = this.failure
      this.failure = work.then(
        () => earlier,
        async (error: unknown) => (await earlier) ?? error,
      )
    }

    private async run<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      const { sql: text, parameters } = query
      const name = isPrepared(query) ? { name: `${query.name}_${generation}` } : {}
      const { rows, rowCount, command } = await this.send({
        text,
        values: [...parameters],
        ...name,
      })
      if (command === 'SELECT' || rowCount === null) return { rows }
      return { rows, numAffectedRows: BigInt(rowCount) }
    }

    private async send(query: string | pg.QueryConfig): Promise<pg.QueryResult> {
      try {
        return await this.client.query(query)
      } catch (error) {
        if (isBroken(error)) this.isBroken = true
        if (isOutdated(error)) generation++
        throw error
      }
    }
  }

  const own = (connection: DatabaseConnection): Connection => {
    if (connection instanceof Connection) return connection
    throw new Error('a connection of another driver')
  }

  return {
    async init() {},
    async acquireConnection() {
      await places.take(isUrgent)
      try {
        return new Connection(await pool.connect())
      } catch (error) {
        places.leave()
        throw acquireError(error)
      }
    },
    async beginTransaction(connection) {
      own(connection).begin()
    },
    async commitTransaction(connection) {
      await own(connection).commit()
    },
    async rollbackTransaction(connection) {
      await own(connection).rollback()
    },
    async releaseConnection(connection) {
      const { client, isBroken: mustGo } = own(connection)
      client.release(mustGo)
      places.leave()
    },
    // The pool is ended by whoever opened it.
    async destroy() {},
  }
}

function isPrepared(query: CompiledQuery): query is PreparedQuery {
  return 'isDeferred' in query
}

/** Waits for the lock of the migrations as long as it takes, but for locks on tables only briefly. */
export class MigrationsAdapter extends PostgresAdapter {
  override async acquireMigrationLock(
    ...[db, options]: Parameters<PostgresAdapter['acquireMigrationLock']>
  ): Promise<void> {
    await super.acquireMigrationLock(db, options)
    await setLockTimeout(db, SCHEMA_LOCK_MS)
  }

  override async releaseMigrationLock(
    ...[db, options]: Parameters<PostgresAdapter['releaseMigrationLock']>
  ): Promise<void> {
    await setLockTimeout(db, 0)
    await super.releaseMigrationLock(db, options)
  }
}

async function setLockTimeout<DB>(db: Kysely<DB>, ms: number): Promise<void> {
  await sql`select set_config('lock_timeout', ${String(ms)}, false)`.execute(db)
}

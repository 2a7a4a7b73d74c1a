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
import { acquireError, conflictError, isBroken, isConflict, wireError } from './postgres-errors.ts'

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

/**
 * Kysely over a pool. Not the driver that Kysely has: every failure, also outside of transactions,
 * gets its code here, single statements are tried again after a conflict, and a connection that was
 * lost in the middle is thrown away.
 */
export function createPostgresDriver(pool: pg.Pool): Driver {
  class Connection implements DatabaseConnection {
    readonly client: pg.PoolClient
    isBroken = false
    inTransaction = false

    constructor(client: pg.PoolClient) {
      this.client = client
    }

    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      for (let attempt = 1; ; attempt++) {
        try {
          return await this.run<R>(query.sql, query.parameters)
        } catch (error) {
          if (this.inTransaction) throw wireError(error)
          if (!mayRetry(error, attempt)) throw wireError(conflictError(error))
          await conflictPause(attempt)
        }
      }
    }

    async run<R>(text: string, parameters: readonly unknown[] = []): Promise<QueryResult<R>> {
      try {
        const { rows, rowCount, command } = await this.client.query(text, [...parameters])
        if (command === 'SELECT' || rowCount === null) return { rows }
        return { rows, numAffectedRows: BigInt(rowCount) }
      } catch (error) {
        if (isBroken(error)) this.isBroken = true
        throw error
      }
    }

    async commit(): Promise<void> {
      const { command } = await this.client.query('commit').catch((error: unknown) => {
        this.isBroken = true
        throw wireError(error)
      })
      // What PostgreSQL answers when a statement before has failed.
      if (command === 'ROLLBACK') throw new Error('a statement of this transaction has failed')
    }

    async rollback(): Promise<void> {
      if (this.isBroken) return
      await this.client.query('rollback').catch(() => {
        // Thrown away with all that was done on it; the reason of the rollback is what matters.
        this.isBroken = true
      })
    }

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
      try {
        return new Connection(await pool.connect())
      } catch (error) {
        throw acquireError(error)
      }
    },
    async beginTransaction(connection) {
      const one = own(connection)
      one.inTransaction = true
      await one.run('begin').catch((error: unknown) => {
        throw wireError(error)
      })
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
    },
    async destroy() {
      await pool.end()
    },
  }
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

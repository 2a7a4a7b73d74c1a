import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { AppError } from '../../lib/errors.ts'
import type { Db, TransactionOptions, Tx } from './database.ts'
import { postgresEngine } from './engine.ts'
import type { Schema } from './schema.ts'

const ATTEMPTS = 5

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database` */
  url: string
  /** Connections at most. */
  poolSize?: number
}

/** Opens a pool on a PostgreSQL database, version 14 or newer. */
export function openPostgres({ url, poolSize = 10 }: PostgresOptions): Db {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    application_name: 'entrepot',
    types: { getTypeParser: (oid, format) => parserOf(oid, format) },
  })
  // An idle connection that the server closed is replaced at the next use.
  pool.on('error', () => {})
  // One that is lost between two statements of a transaction tells nobody else, and an error that
  // nobody listens to would end the process; the next statement fails by itself.
  pool.on('connect', (client) => client.on('error', () => {}))
  const kysely = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) })

  return {
    engine: postgresEngine,
    query: kysely,
    async transaction<T>(work: (tx: Tx) => Promise<T>, { durable }: TransactionOptions = {}) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await kysely.transaction().execute(async (tx) => {
            if (durable === false) await sql`set local synchronous_commit = off`.execute(tx)
            return work(tx)
          })
        } catch (error) {
          if (attempt === ATTEMPTS || !isConflict(error)) throw wireError(error)
          await Bun.sleep(Math.random() * 10 * 2 ** attempt)
        }
      }
    },
    close: () => kysely.destroy(),
  }
}

/** int8 and numeric as numbers: all of ours are below 2^53. bytea as it is. */
function parserOf(oid: number, format: 'text' | 'binary' | undefined) {
  const { INT8, NUMERIC } = pg.types.builtins
  if (oid === INT8 || oid === NUMERIC) return (text: string) => Number(text)
  return pg.types.getTypeParser(oid, format ?? 'text')
}

function sqlState(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** Serialisation failure or deadlock: the same work may succeed when tried again. */
function isConflict(error: unknown): boolean {
  return ['40001', '40P01'].includes(sqlState(error))
}

/** What the driver itself says of a connection that ended; it gives these no code. */
function isLost(error: unknown): boolean {
  return error instanceof Error && /^Connection terminated|is not queryable$/.test(error.message)
}

function wireError(error: unknown): unknown {
  const state = sqlState(error)
  if (state === '53100') {
    return new AppError('storage_full', 'the disk that holds the database is full', {}, error)
  }
  const gone = isLost(error) || /^(08|57P|53)/.test(state) || /^E[A-Z]+$/.test(state)
  if (isConflict(error) || gone) {
    return new AppError('unavailable', 'the database does not answer', { retryAfter: 1 }, error)
  }
  return error
}

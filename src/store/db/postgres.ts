import { Kysely, PostgresIntrospector, PostgresQueryCompiler, sql } from 'kysely'
import pg from 'pg'
import { AppError } from '../../lib/errors.ts'
import type { Db, TransactionOptions, Tx } from './database.ts'
import { postgresEngine } from './engine.ts'
import { createPlaces } from './places.ts'
import {
  conflictPause,
  createPostgresDriver,
  MigrationsAdapter,
  mayRetry,
  type TransactionShape,
} from './postgres-driver.ts'
import { conflictError, connectError } from './postgres-errors.ts'
import { keepsSessions } from './postgres-pooler.ts'
import type { Schema } from './schema.ts'

const OLDEST_VERSION = 14
/** After a fail-over or a change of an address, connections come to the new one by themselves. */
const LIFETIME_SECONDS = 1800
/** A server that is gone without a word: what a statement may take beyond its limit. */
const SILENCE_MS = 5_000
/** Of the connections: work that does not wait for the disk is done soon. */
const QUICK_SHARE = 0.3

export interface PostgresLimits {
  /** How the server shows these connections in its list; `entrepot` unless set. */
  name?: string
  /** Connections at most; 10 unless set. */
  poolSize?: number
  /** For a new connection; milliseconds, 5 s unless set. */
  connectTimeoutMs?: number
  /** For a connection that others use; milliseconds, 30 s unless set. */
  waitTimeoutMs?: number
  /** For a statement; 0 or nothing: none. */
  statementTimeoutMs?: number
  /** For a transaction between two statements; 0 or nothing: none. */
  idleTransactionTimeoutMs?: number
}

export interface PostgresOptions extends PostgresLimits {
  /** `postgres://user:password@host:port/database` */
  url: string
}

/**
 * Opens the connections to a PostgreSQL database, version 14 or newer, when they are first used.
 *
 * A part of them is for what need not be durable: there no commit waits for the disk, so that a
 * transaction of one statement is that statement and nothing else.
 */
export function openPostgres(options: PostgresOptions): Db {
  const { url, poolSize = 10, connectTimeoutMs = 5_000, waitTimeoutMs = 30_000 } = options
  const quickSize = Math.max(1, Math.floor(poolSize * QUICK_SHARE))
  const durableSize = Math.max(1, poolSize - quickSize)
  const pools = {
    durable: openPool(options, durableSize, ''),
    quick: openPool(options, quickSize, '; set synchronous_commit = off'),
  }
  const places = {
    durable: createPlaces(durableSize, waitTimeoutMs),
    quick: createPlaces(quickSize, waitTimeoutMs),
  }
  const open = (kind: keyof typeof pools, shape?: TransactionShape) =>
    new Kysely<Schema>({
      dialect: {
        createAdapter: () => new MigrationsAdapter(),
        createDriver: () => createPostgresDriver(pools[kind], places[kind], shape),
        createIntrospector: (db) => new PostgresIntrospector(db),
        createQueryCompiler: () => new PostgresQueryCompiler(),
      },
    })
  const kysely = open('durable')
  const urgent = open('durable', { isUrgent: true })
  const quick = open('quick')
  const single = open('durable', { isSingle: true })
  const quickSingle = open('quick', { isSingle: true })
  const shaped = ({ durable = true, single: isSingle = false }: TransactionOptions) => {
    if (durable) return isSingle ? single : kysely
    return isSingle ? quickSingle : quick
  }

  let closed: Promise<void> | undefined

  return {
    engine: postgresEngine,
    // The server computes; here only a connection of the pool is busy.
    scan: kysely,
    urgent,
    query: kysely,
    async transaction<T>(work: (tx: Tx) => Promise<T>, options: TransactionOptions = {}) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await shaped(options).transaction().execute(work)
        } catch (error) {
          if (!mayRetry(error, attempt)) throw conflictError(error)
          await conflictPause(attempt)
        }
      }
    },
    async room() {
      return Number.POSITIVE_INFINITY
    },
    async prove() {
      let found: ServerFacts | undefined
      let hasSessions: boolean
      try {
        found = (await SERVER_FACTS.execute(kysely)).rows[0]
        hasSessions = await keepsSessions([pools.durable, pools.quick], connectTimeoutMs)
      } catch (error) {
        throw connectError(url, error)
      }
      if (found) demandUsable(found)
      if (!hasSessions) throw wrong(NO_SESSIONS)
    },
    close() {
      closed ??= Promise.all([pools.durable.end(), pools.quick.end()]).then(() => {})
      return closed
    },
  }
}

/** @param more statements for each new connection */
function openPool(options: PostgresOptions, size: number, more: string): pg.Pool {
  const { url, name = 'entrepot', connectTimeoutMs = 5_000 } = options
  const { statementTimeoutMs = 0, idleTransactionTimeoutMs = 0 } = options
  const pool = new pg.Pool({
    connectionString: url,
    max: size,
    application_name: name,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    pipeline: true,
    maxLifetimeSeconds: LIFETIME_SECONDS,
    ...(statementTimeoutMs > 0 ? { query_timeout: statementTimeoutMs + SILENCE_MS } : {}),
    types: { getTypeParser: (oid, format) => parserOf(oid, format) },
    // As statements, since poolers refuse parameters of the connection that they do not know.
    onConnect: (client) =>
      client
        .query(
          `set statement_timeout = ${Number(statementTimeoutMs)}; ` +
            `set idle_in_transaction_session_timeout = ${Number(idleTransactionTimeoutMs)}${more}`,
        )
        .then(() => {}),
  })
  // An idle connection that the server closed is replaced at the next use.
  pool.on('error', () => {})
  // One that is lost between two statements of a transaction tells nobody else, and an error that
  // nobody listens to would end the process; the next statement fails by itself.
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

interface ServerFacts {
  version: number
  encoding: string
  is_standby: boolean
}

const SERVER_FACTS = sql<ServerFacts>`
  select current_setting('server_version_num')::int as version,
    current_setting('server_encoding') as encoding, pg_is_in_recovery() as is_standby`

const NO_SESSIONS =
  'between Entrepot and PostgreSQL is a pooler that gives each transaction another session, and ' +
  'Entrepot needs sessions of its own: set the mode of the pool to session (PgBouncer: ' +
  'pool_mode=session), or name PostgreSQL itself in ENTREPOT_DATABASE_URL'

function demandUsable({ version, encoding, is_standby }: ServerFacts): void {
  const major = Math.floor(version / 10_000)
  if (major < OLDEST_VERSION) {
    throw wrong(`PostgreSQL is version ${major}; ${OLDEST_VERSION} is the oldest that will do`)
  }
  if (encoding !== 'UTF8') {
    throw wrong(`the database has the encoding ${encoding}; create one with the encoding UTF8`)
  }
  if (is_standby) {
    throw wrong('PostgreSQL is a standby there, which takes no changes: name the primary')
  }
}

const wrong = (message: string) => new AppError('unavailable', message)

/** int8 and numeric as numbers: all of ours are below 2^53. bytea as it is. */
function parserOf(oid: number, format: 'text' | 'binary' | undefined) {
  const { INT8, NUMERIC } = pg.types.builtins
  if (oid === INT8 || oid === NUMERIC) return (text: string) => Number(text)
  return pg.types.getTypeParser(oid, format ?? 'text')
}

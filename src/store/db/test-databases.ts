import { describe, setDefaultTimeout } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newHex } from '../../lib/ids.ts'
import type { Db } from './database.ts'
import { migrate } from './migrate.ts'
import type { DatabaseOptions } from './open.ts'
import { openPostgres } from './postgres.ts'
import { openSqlite } from './sqlite.ts'
import { embeddedPostgres } from './test-postgres-binaries.ts'

/** An empty database of one engine; `open` gives further connections to the same one. */
export interface TestDatabase {
  engine: 'sqlite' | 'postgres'
  /** What another process needs to open it. */
  location: DatabaseOptions
  /** Another connection, as another process would have. */
  open(): Db
  /** Closes every connection and removes the data. */
  remove(): Promise<void>
}

/** Runs a suite on SQLite and, where the embedded server can be started, on PostgreSQL. */
export function onEachEngine(name: string, suite: (create: () => Promise<TestDatabase>) => void) {
  setDefaultTimeout(60_000)
  describe(`${name} (sqlite)`, () => suite(createSqliteTest))
  describe(`${name} (postgres)`, () => suite(createPostgresTest))
}

/** A migrated database with one connection. */
export async function createMigrated(create: () => Promise<TestDatabase> = createSqliteTest) {
  const test = await create()
  const db = test.open()
  await migrate(db)
  return { db, test }
}

export async function createSqliteTest(): Promise<TestDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-db-'))
  const opened: Db[] = []
  return {
    engine: 'sqlite',
    location: { dataFolder: folder },
    open() {
      const db = openSqlite({ file: join(folder, 'entrepot.db') })
      opened.push(db)
      return db
    },
    async remove() {
      for (const db of opened) await db.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export async function createPostgresTest(): Promise<TestDatabase> {
  const server = await postgresServer()
  const name = `test_${newHex(6)}`
  await server.createDatabase(name)
  const opened: Db[] = []
  return {
    engine: 'postgres',
    location: { dataFolder: '', url: server.url(name) },
    open() {
      const db = openPostgres({ url: server.url(name), poolSize: 5 })
      opened.push(db)
      return db
    },
    async remove() {
      for (const db of opened) await db.close()
      await server.dropDatabase(name)
    },
  }
}

interface PostgresServer {
  url(database: string): string
  createDatabase(name: string): Promise<void>
  dropDatabase(name: string): Promise<void>
}

let shared: Promise<PostgresServer> | undefined

/** One server for the whole test process; it ends with it. */
function postgresServer(): Promise<PostgresServer> {
  shared ??= startPostgres()
  return shared
}

async function startPostgres(): Promise<PostgresServer> {
  const EmbeddedPostgres = await embeddedPostgres()
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-pg-'))
  const server = new EmbeddedPostgres({
    databaseDir: folder,
    port,
    user: 'entrepot',
    password: 'entrepot',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', 'max_connections=200'],
    onLog: () => {},
    onError: () => {},
  })
  await server.initialise()
  await server.start()
  endWithThisProcess(folder)
  return {
    url: (name) => `postgres://entrepot:entrepot@127.0.0.1:${port}/${name}`,
    createDatabase: (name) => server.createDatabase(name),
    dropDatabase: (name) => server.dropDatabase(name),
  }
}

/** `bun test` runs no exit handlers, and may be killed: a shell waits for its end instead. */
function endWithThisProcess(folder: string): void {
  const server = readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n')[0] ?? ''
  const wait = 'while kill -0 "$0" 2>/dev/null; do sleep 0.5; done'
  const end = 'kill -QUIT "$1"; while kill -0 "$1" 2>/dev/null; do sleep 0.2; done; rm -rf "$2"'
  const watcher = Bun.spawn(['sh', '-c', `${wait}; ${end}`, String(process.pid), server, folder], {
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  watcher.unref()
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => {
        if (address && typeof address === 'object') resolve(address.port)
        else reject(new Error('no port'))
      })
    })
  })
}

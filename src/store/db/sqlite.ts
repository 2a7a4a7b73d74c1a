import { Database as BunDatabase } from 'bun:sqlite'
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import { AppError } from '../../lib/errors.ts'
import { createCheckpoints } from './checkpoint.ts'
import type { Db, TransactionOptions, Tx } from './database.ts'
import { sqliteEngine } from './engine.ts'
import { createGroupCommit } from './group-commit.ts'
import { openScanThread } from './scan-thread.ts'
import type { Schema } from './schema.ts'
import { createSqliteDriver } from './sqlite-driver.ts'
import { isBusy } from './sqlite-errors.ts'
import { openWaitMark } from './wait-mark.ts'
import { openWalSync, type WalSync } from './wal-sync.ts'

/*
 * Transactions share outer commits (`group-commit.ts`). Those commit with synchronous=NORMAL,
 * which writes the log but does not sync it; the sync of the log runs on another thread and is
 * shared by all who wait for it (`wal-sync.ts`). A durable transaction resolves after that sync,
 * which gives what synchronous=FULL promises without stopping the event loop for the disk.
 *
 * Several processes share the file. SQLite's own busy handler would freeze the event loop, so it
 * is off and BEGIN is tried again asynchronously.
 */

const OPEN_LIMIT_MS = 10_000
const CHECKPOINT_MS = 1_000

export interface SqliteOptions {
  /** The database file; its folder exists. */
  file: string
  /**
   * Who moves the log into the database. True: this process, every second, and it empties the log
   * when it has grown too long. False: another process. Left out, for a process that is alone: a
   * commit now and then.
   */
  checkpoints?: boolean
  /** Bytes of the log above which a checkpoint empties it; 64 MiB unless set. */
  logLimit?: number
  /** How the log is synced; tests watch it here. */
  walSync?: WalSync
}

export interface SqliteDb extends Db {
  /**
   * Moves the write-ahead log into the database as far as readers allow, and empties it when it
   * has grown too long. With `checkpoints: true` this happens by itself.
   */
  checkpoint(): Promise<void>
}

/** Opens (and creates) a SQLite database in WAL mode. */
export function openSqlite(options: SqliteOptions): SqliteDb {
  const { file } = options
  const writer = openWriter(options)
  const reader = new BunDatabase(file, { readonly: true })
  reader.run('PRAGMA busy_timeout = 5000')
  reader.run('PRAGMA mmap_size = 268435456')

  const mark = openWaitMark(`${file}-turn`)
  const wal = options.walSync ?? openWalSync(file)
  const commits = createGroupCommit(writer, mark)
  const checkpoints = createCheckpoints({ file, commits, mark, logLimit: options.logLimit })
  const driver = createSqliteDriver({ reader, writer, commits, durable: () => wal.sync() })
  const scan = openScanThread(file)
  const uses = createUses()
  const kysely = new Kysely<Schema>({
    dialect: {
      createAdapter: () => new GroupCommitAdapter(),
      createDriver: () => ({
        ...driver,
        acquireConnection: async () => {
          uses.enter()
          return driver.acquireConnection()
        },
        releaseConnection: async () => uses.leave(),
      }),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  })

  const checkpoint = () => uses.during(() => checkpoints.run())
  const timer = options.checkpoints
    ? setInterval(() => {
        // A full disk is told to those who write; the next one tries again.
        checkpoint().catch(() => {})
      }, CHECKPOINT_MS)
    : undefined

  async function close(): Promise<void> {
    clearInterval(timer)
    scan.close()
    await uses.end()
    // The last outer transaction may still have to end when all work in it was undone.
    await commits.alone(() => {})
    await kysely.destroy()
    await wal.close()
    driver.finalize()
    checkpoints.close()
    reader.close()
    writer.close()
  }
  let closed: Promise<void> | undefined

  return {
    engine: sqliteEngine,
    query: kysely,
    scan: scan.query,
    urgent: kysely,
    transaction<T>(work: (tx: Tx) => Promise<T>, { durable }: TransactionOptions = {}) {
      return uses.during(async () => {
        const result = await kysely.transaction().execute(work)
        if (durable !== false) await wal.sync()
        return result
      })
    },
    checkpoint,
    async room() {
      const { bavail, bsize } = await statfs(dirname(file))
      return bavail * bsize
    },
    // Opening it has shown that.
    async prove() {},
    close() {
      closed ??= close()
      return closed
    },
  }
}

function openWriter({ file, checkpoints }: SqliteOptions): BunDatabase {
  const writer = new BunDatabase(file, { create: true })
  writer.run('PRAGMA busy_timeout = 5000')
  // Several processes that start on an empty folder all switch to WAL, which needs the file for
  // oneself; SQLite refuses at once, whatever the timeout, where waiting could be a deadlock.
  const deadline = Date.now() + OPEN_LIMIT_MS
  for (;;) {
    try {
      writer.run('PRAGMA journal_mode = WAL')
      break
    } catch (error) {
      if (!isBusy(error) || Date.now() > deadline) throw error
      Bun.sleepSync(5 + Math.random() * 10)
    }
  }
  writer.run('PRAGMA synchronous = NORMAL')
  // The journals of savepoints need not go to a disk.
  writer.run('PRAGMA temp_store = MEMORY')
  writer.run('PRAGMA foreign_keys = ON')
  writer.run(`PRAGMA wal_autocheckpoint = ${checkpoints === undefined ? 1000 : 0}`)
  writer.run('PRAGMA busy_timeout = 0')
  return writer
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

/** Counts who uses the database, so that closing waits for them and refuses those who come later. */
function createUses() {
  let count = 0
  let ended: (() => void) | undefined

  const refuse = () => {
    throw new AppError('unavailable', 'the database is closed')
  }
  function enter(): void {
    // A transaction that was let in still needs its connection.
    if (ended && count === 0) refuse()
    count++
  }
  function leave(): void {
    count--
    if (count === 0) ended?.()
  }
  return {
    enter,
    leave,
    async during<T>(work: () => Promise<T>): Promise<T> {
      if (ended) refuse()
      enter()
      try {
        return await work()
      } finally {
        leave()
      }
    },
    async end(): Promise<void> {
      await new Promise<void>((resolve) => {
        ended = resolve
        if (count === 0) resolve()
      })
    },
  }
}

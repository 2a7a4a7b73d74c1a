import {
  type CompiledQuery,
  type DatabaseConnection,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { Queryable } from './database.ts'
import type { Schema } from './schema.ts'

/** After this long without a query the thread ends; the next one begins another. */
const IDLE_MS = 60_000

interface Asked {
  id: number
  sql: string
  parameters: readonly unknown[]
}

type Told = { id: number; rows: unknown[] } | { id: number; error: string }

export interface ScanThread {
  query: Queryable
  close(): void
}

/**
 * Queries that look at very many rows, on a thread with a connection of its own: on the event loop
 * they would hold up every push and pull of the process while they run. Reads only.
 */
export function openScanThread(file: string): ScanThread {
  let worker: Worker | undefined
  let idle: ReturnType<typeof setTimeout> | undefined
  let lastId = 0
  let isClosed = false
  const waiting = new Map<
    number,
    { resolve(rows: unknown[]): void; reject(error: unknown): void }
  >()

  function end(reason: string): void {
    clearTimeout(idle)
    worker?.terminate()
    worker = undefined
    for (const { reject } of waiting.values()) reject(new Error(reason))
    waiting.clear()
  }

  function start(): Worker {
    // As text, so that it needs no file of its own in packages and executables.
    const source = new Blob([`(${runThread})(${JSON.stringify(file)})`], {
      type: 'application/javascript',
    })
    const url = URL.createObjectURL(source)
    const made = new Worker(url)
    made.addEventListener('close', () => URL.revokeObjectURL(url))
    made.onmessage = ({ data }: MessageEvent<Told>) => {
      const asked = waiting.get(data.id)
      waiting.delete(data.id)
      if ('error' in data) asked?.reject(new Error(data.error))
      else asked?.resolve(data.rows)
      if (waiting.size === 0) rest()
    }
    made.onerror = ({ message }) => {
      if (worker === made) end(`a search ended: ${message}`)
    }
    return made
  }

  /** Nothing is asked: it keeps no process from its end, and goes by itself. */
  function rest(): void {
    worker?.unref()
    idle = setTimeout(() => end('idle'), IDLE_MS)
    idle.unref()
  }

  function ask(sql: string, parameters: readonly unknown[]): Promise<unknown[]> {
    if (isClosed) return Promise.reject(new Error('the database is closed'))
    clearTimeout(idle)
    worker ??= start()
    worker.ref()
    const asked: Asked = { id: ++lastId, sql, parameters }
    return new Promise((resolve, reject) => {
      waiting.set(asked.id, { resolve, reject })
      worker?.postMessage(asked)
    })
  }

  const connection: DatabaseConnection = {
    async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
      return { rows: (await ask(sql, parameters)) as R[] }
    },
    streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
      throw new Error('streamed queries are not offered: read pages by key')
    },
  }
  const refuse = async () => {
    throw new Error('searches only read')
  }

  return {
    query: new Kysely<Schema>({
      dialect: {
        createAdapter: () => new SqliteAdapter(),
        createDriver: () => ({
          async init() {},
          acquireConnection: async () => connection,
          beginTransaction: refuse,
          commitTransaction: refuse,
          rollbackTransaction: refuse,
          async releaseConnection() {},
          async destroy() {},
        }),
        createIntrospector: (db) => new SqliteIntrospector(db),
        createQueryCompiler: () => new SqliteQueryCompiler(),
      },
    }),
    close() {
      isClosed = true
      end('the database is closed')
    },
  }
}

/** The thread. It is sent there as text: nothing from outside of it is there. */
async function runThread(path: string): Promise<void> {
  const { Database } = await import('bun:sqlite')
  const database = new Database(path, { readonly: true })
  database.run('PRAGMA busy_timeout = 5000')
  database.run('PRAGMA mmap_size = 268435456')
  if (process.platform === 'linux') {
    // There each thread has a priority of its own: whoever pushes and pulls goes first.
    const { readlinkSync } = await import('node:fs')
    const { setPriority } = await import('node:os')
    try {
      setPriority(Number(readlinkSync('/proc/thread-self').split('/').pop()), 5)
    } catch {
      // A sandbox may forbid it; then searches are as important as all else.
    }
  }
  // What was asked before the database was open is waiting.
  addEventListener('message', ({ data }: MessageEvent<Asked>) => {
    try {
      const statement = database.query(data.sql)
      const rows = statement.all(...(data.parameters as (string | number | null)[]))
      postMessage({ id: data.id, rows })
    } catch (error) {
      postMessage({ id: data.id, error: String(error) })
    }
  })
}

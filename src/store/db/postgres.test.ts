import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { sql } from 'kysely'
import { isAppError } from '../../lib/errors.ts'
import type { Db, Tx } from './database.ts'
import { createPostgresTest, type TestDatabase } from './test-databases.ts'

setDefaultTimeout(60_000)

let database: TestDatabase
let db: Db
let other: Db
beforeAll(async () => {
  database = await createPostgresTest()
  db = database.open()
  other = database.open()
})
afterAll(() => database.remove())

async function backendOf(tx: Tx): Promise<number> {
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx)
  return rows[0]?.pid ?? 0
}

/** As a restart of the server, or a failover, ends it. */
async function end(backend: number): Promise<void> {
  await sql`select pg_terminate_backend(${sql.lit(backend)}, 5000)`.execute(other.query)
}

// [when, what the transaction does beside it]
const moments = [
  ['between two statements', () => Promise.resolve()],
  ['in a statement', (tx: Tx) => sql`select pg_sleep(10)`.execute(tx)],
] as const

test.each(moments)('a connection that is lost %s fails its transaction only', async (_, during) => {
  const work = db.transaction(async (tx) => {
    const backend = await backendOf(tx)
    const running = during(tx)
    await Promise.all([running, end(backend).then(() => Bun.sleep(100))])
    await backendOf(tx)
  })
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(isAppError(error, 'unavailable')).toBe(true)
  expect(await db.transaction(backendOf)).toBeGreaterThan(0)
})

import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { sql } from 'kysely'
import { AppError } from '../../lib/errors.ts'
import type { Db } from './database.ts'
import { migrate } from './migrate.ts'
import { openPostgres } from './postgres.ts'
import { statement } from './prepared.ts'
import { createPostgresTest, type TestDatabase } from './test-databases.ts'
import { findPgbouncer, startPgbouncer } from './test-pgbouncer.ts'

setDefaultTimeout(120_000)

/* PgBouncer between: what must work through it, and what is refused with a sentence. */

const testPgbouncer = findPgbouncer() ? test : test.skip
const named = (name: string) => (findPgbouncer() ? name : `${name}: not tested, missing pgbouncer`)

let database: TestDatabase
const toEnd: (() => Promise<void>)[] = []
beforeAll(async () => {
  if (findPgbouncer()) database = await createPostgresTest()
})
afterEach(async () => {
  for (const end of toEnd.splice(0).toReversed()) await end()
})
afterAll(() => database?.remove())

async function through(
  mode: Parameters<typeof startPgbouncer>[1],
  poolSize = 4,
): Promise<() => Db> {
  const pgbouncer = await startPgbouncer(database.location.url ?? '', mode)
  toEnd.push(() => pgbouncer.stop())
  return () => {
    const db = openPostgres({ url: pgbouncer.url, poolSize, statementTimeoutMs: 50_000 })
    toEnd.push(() => db.close())
    return db
  }
}

async function refusalOf(db: Db): Promise<string | undefined> {
  const error = await db.prove().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return error instanceof AppError ? error.message : undefined
}

testPgbouncer(named('with pool_mode=session everything is as without it'), async () => {
  const open = await through('session')
  const replicas = [open(), open(), open()]
  await Promise.all(replicas.map((db) => db.prove()))
  await Promise.all(replicas.map((db) => migrate(db)))
  const { rows } = await sql<{ statement_timeout: string }>`show statement_timeout`.execute(
    open().query,
  )
  expect(rows).toEqual([{ statement_timeout: '50s' }])

  // Named statements, deferred ones and pipelined transactions, more at once than connections.
  const insert = statement(
    (on, { key }: { key: string }) => on.insertInto('setting').values({ key, value: '' }),
    { deferred: true },
  )
  const read = statement((on, { key }: { key: string }) =>
    on.selectFrom('setting').select('key').where('key', '=', key),
  )
  const work = Array.from({ length: 60 }, async (_, i) => {
    const db = replicas[i % replicas.length] as Db
    const key = `try-${i}`
    const within = await db.transaction(async (tx) => {
      await insert(tx, { key })
      return read(tx, { key })
    })
    return [within, await read(db.query, { key })]
  })
  for (const [i, found] of (await Promise.all(work)).entries()) {
    expect(found).toEqual([[{ key: `try-${i}` }], [{ key: `try-${i}` }]])
  }
})

testPgbouncer(named('with pool_mode=session the fewest connections will do'), async () => {
  const open = await through('session', 2)
  await open().prove()
})

testPgbouncer(named('with pool_mode=transaction a start is refused, and told why'), async () => {
  const open = await through('transaction')
  const refusals = await Promise.all([open(), open(), open()].map(refusalOf))
  for (const refusal of refusals) expect(refusal).toContain('pool_mode=session')
  // Also where others keep it busy.
  const busy = open()
  let ended = false
  const work = (async () => {
    while (!ended) await sql`select 1`.execute(busy.query)
  })()
  const refusal = await refusalOf(open())
  ended = true
  await work
  expect(refusal).toContain('pool_mode=session')
})

testPgbouncer(named('with pool_mode=statement too'), async () => {
  const open = await through('statement')
  expect(await refusalOf(open())).toContain('pool_mode=session')
})

import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { type RawBuilder, sql } from 'kysely'
import { AppError, isAppError } from '../../lib/errors.ts'
import type { Db, Tx } from './database.ts'
import { openPostgres, type PostgresLimits } from './postgres.ts'
import { statement } from './prepared.ts'
import { createPostgresTest, type TestDatabase } from './test-databases.ts'

setDefaultTimeout(120_000)

let database: TestDatabase
let db: Db
let other: Db
const opened: Db[] = []
beforeAll(async () => {
  database = await createPostgresTest()
  db = database.open()
  other = database.open()
  await sql`create sequence tries`.execute(db.query)
  await sql`create table number (id int primary key, value int)`.execute(db.query)
  await sql`insert into number values (1, 0), (2, 0)`.execute(db.query)
  // Fails until it was called so often.
  await sql
    .raw(
      `create function stumble(times int, state text) returns int language plpgsql as $$ begin
        if nextval('tries') <= times then raise exception using errcode = state; end if;
        return currval('tries');
      end $$`,
    )
    .execute(db.query)
})
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
  await sql`alter sequence tries restart`.execute(other.query)
})
afterAll(() => database.remove())

function open(limits: PostgresLimits): Db {
  const one = openPostgres({ url: database.location.url ?? '', ...limits })
  opened.push(one)
  return one
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
}

/** Later it may be otherwise: the faces answer 503 with Retry-After. */
async function expectNotNow(work: Promise<unknown>, sentence: string) {
  const error = await failureOf(work)
  expect(error).toBeInstanceOf(AppError)
  if (!isAppError(error)) return
  expect([error.code, error.details.retryAfter]).toEqual(['unavailable', 1])
  expect(error.message).toContain(sentence)
}

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
  await expectNotNow(work, 'the database does not answer')
  expect(await db.transaction(backendOf)).toBeGreaterThan(0)
})

test('a statement outside of a transaction fails in the same way', async () => {
  const one = open({ poolSize: 1 })
  const backend = await one.transaction(backendOf)
  const ended = Bun.sleep(100).then(() => end(backend))
  await expectNotNow(sql`select pg_sleep(10)`.execute(one.query), 'the database does not answer')
  await ended
  expect(await one.transaction(backendOf)).not.toBe(backend)
})

test('nobody waits longer for a connection than is allowed', async () => {
  const one = open({ poolSize: 1, waitTimeoutMs: 1_000 })
  const { promise, resolve } = Promise.withResolvers<void>()
  const long = one.transaction(async (tx) => {
    await backendOf(tx)
    await promise
  })
  await expectNotNow(one.transaction(backendOf), 'all connections to the database are in use')
  resolve()
  await long
  expect(await one.transaction(backendOf)).toBeGreaterThan(0)
})

test('a statement that takes longer than is allowed is given up, and its connection goes on', async () => {
  const one = open({ poolSize: 1, statementTimeoutMs: 500 })
  const backend = await one.transaction(backendOf)
  await expectNotNow(sql`select pg_sleep(20)`.execute(one.query), 'took too long')
  expect(await one.transaction(backendOf)).toBe(backend)
})

test('a transaction that says nothing for too long gives its locks back', async () => {
  const one = open({ poolSize: 1, idleTransactionTimeoutMs: 300 })
  const update = (tx: Tx) => sql`update number set value = value + 1 where id = 1`.execute(tx)
  const silent = one.transaction(async (tx) => {
    await update(tx)
    await other.transaction(update)
    await update(tx)
  })
  await expectNotNow(silent, 'the database does not answer')
  const { rows } = await sql`select value from number where id = 1`.execute(other.query)
  expect(rows).toEqual([{ value: 1 }])
  await one.transaction(update)
})

const stumble = (times: number, state: string): RawBuilder<{ stumble: number }> =>
  sql`select stumble(${times}::int, ${state})`

// [SQLSTATE, what it is]
const conflicts = [
  ['40001', 'a serialisation failure'],
  ['40P01', 'a deadlock'],
]

test.each(conflicts)('after %s (%s) the same is tried again, a few times', async (state) => {
  expect((await stumble(3, state).execute(db.query)).rows).toEqual([{ stumble: 4 }])
  await sql`alter sequence tries restart`.execute(db.query)
  let runs = 0
  const result = await db.transaction(async (tx) => {
    runs++
    return (await stumble(3, state).execute(tx)).rows
  })
  expect([result, runs]).toEqual([[{ stumble: 4 }], 4])
  await sql`alter sequence tries restart`.execute(db.query)
  const stubborn = db.transaction(async (tx) => {
    runs++
    await stumble(1000, state).execute(tx)
  })
  await expectNotNow(stubborn, 'others changed the same')
  expect(runs).toBe(9)
  await sql`alter sequence tries restart`.execute(db.query)
  await expectNotNow(stumble(1000, state).execute(db.query), 'others changed the same')
})

test('transactions that wait for each other all come to their end', async () => {
  const both = async (first: number, second: number) =>
    db.transaction(async (tx) => {
      await sql`set local deadlock_timeout = '50ms'`.execute(tx)
      for (const id of [first, second]) {
        await sql`update number set value = value + 1 where id = ${id}`.execute(tx)
        await sql`select pg_sleep(0.05)`.execute(tx)
      }
    })
  const { rows: before } = await sql<{ value: number }>`
    select value from number order by id`.execute(db.query)
  await Promise.all([both(1, 2), both(2, 1), both(1, 2), both(2, 1)])
  const { rows: after } = await sql<{ value: number }>`
    select value from number order by id`.execute(db.query)
  expect(after).toEqual(before.map(({ value }) => ({ value: value + 4 })))
})

test('anything else stays what it is, and is not tried again', async () => {
  const error = await failureOf(stumble(1000, '22012').execute(db.query))
  expect(isAppError(error)).toBe(false)
  expect((await stumble(1, '22012').execute(db.query)).rows).toEqual([{ stumble: 2 }])
})

test('a right that is missing is told in a sentence, which no client sees', async () => {
  await sql`create role guest login password 'guest'`.execute(other.query)
  // Up to version 14 everybody may.
  await sql`revoke create on schema public from public`.execute(other.query)
  const url = new URL(database.location.url ?? '')
  url.username = 'guest'
  url.password = 'guest'
  const one = openPostgres({ url: url.href })
  const error = await failureOf(sql`create table mine (id int)`.execute(one.query))
  await one.close()
  await sql`drop role guest`.execute(other.query)
  expect(isAppError(error, 'internal') && error.message).toContain('permission denied for schema')
})

test('a text that it cannot hold is wrong input, in a transaction and outside', async () => {
  const name = 'a\0b'
  const ask = (on: Db['query']) => sql`select ${name}::text`.execute(on)
  for (const work of [ask(db.query), db.transaction(ask)]) {
    expect(await failureOf(work)).toMatchObject({ code: 'invalid_input' })
  }
})

test('a server that takes no changes at the moment is one that may do so later', async () => {
  const url = new URL(database.location.url ?? '')
  url.searchParams.set('options', '-c default_transaction_read_only=on')
  const one = openPostgres({ url: url.href })
  opened.push(one)
  const write = sql`update number set value = 7 where id = 2`.execute(one.query)
  await expectNotNow(write, 'takes no changes')
})

test('a database that keeps text in another way is refused at the start', async () => {
  await db.prove()
  const name = `${new URL(database.location.url ?? '').pathname.slice(1)}_ascii`
  await sql
    .raw(`create database ${name} encoding 'SQL_ASCII' locale 'C' template template0`)
    .execute(other.query)
  const one = openPostgres({ url: database.location.url?.replace(/[^/]*$/, name) ?? '' })
  const error = await failureOf(one.prove())
  await one.close()
  await sql.raw(`drop database ${name}`).execute(other.query)
  expect(isAppError(error, 'unavailable') && error.message).toContain('encoding UTF8')
})

const addTo = statement(
  (on, row: { id: number; value: number }) =>
    on
      .withTables<{ number: { id: number; value: number } }>()
      .insertInto('number')
      .values({ id: row.id, value: row.value }),
  { deferred: true },
)

test('a deferred statement that fails, fails the next one and the commit with its error', async () => {
  const next = db.transaction(async (tx) => {
    await addTo(tx, { id: 1, value: 5 })
    await backendOf(tx)
  })
  expect(String(await failureOf(next))).toContain('duplicate key')
  const last = db.transaction(async (tx) => {
    await addTo(tx, { id: 10, value: 5 })
    await addTo(tx, { id: 1, value: 5 })
  })
  expect(String(await failureOf(last))).toContain('duplicate key')
  await db.transaction((tx) => addTo(tx, { id: 11, value: 5 }))
  const { rows } = await sql`select id from number where id > 9`.execute(db.query)
  expect(rows).toEqual([{ id: 11 }])
})

test('a transaction of one statement stands when it is told, and takes no second one', async () => {
  const put = (tx: Tx, value: number) =>
    sql`update number set value = ${value} where id = 11 returning value`.execute(tx)
  const options = { single: true, durable: false }
  expect((await db.transaction((tx) => put(tx, 6), options)).rows).toEqual([{ value: 6 }])
  const { rows } = await sql`select value from number where id = 11`.execute(other.query)
  expect(rows).toEqual([{ value: 6 }])
  const twice = db.transaction(async (tx) => {
    await put(tx, 7)
    await put(tx, 8)
  }, options)
  expect(String(await failureOf(twice))).toContain('of one statement')
  const wrong = db.transaction((tx) => put(tx, Number.NaN), options)
  expect(String(await failureOf(wrong))).toContain('NaN')
})

test('a statement is prepared anew after a migration has changed its table', async () => {
  await sql`create table grown (id int)`.execute(other.query)
  await sql`insert into grown values (1)`.execute(other.query)
  const all = statement((on) =>
    on.withTables<{ grown: { id: number } }>().selectFrom('grown').selectAll(),
  )
  expect(await all(db.query, {})).toEqual([{ id: 1 }])
  expect(await db.transaction((tx) => all(tx, {}))).toEqual([{ id: 1 }])
  const grown: unknown = { id: 1, size: null }
  await sql`alter table grown add column size int`.execute(other.query)
  expect<unknown>(await db.transaction((tx) => all(tx, {}))).toEqual([grown])
  expect<unknown>(await all(db.query, {})).toEqual([grown])
})

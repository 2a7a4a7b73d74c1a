import { afterEach, beforeEach, expect, test } from 'bun:test'
import { sql } from 'kysely'
import type { Db } from './database.ts'
import { createMigrated, onEachEngine, type TestDatabase } from './test-databases.ts'

onEachEngine('searches', (create) => {
  let db: Db
  let test_: TestDatabase
  beforeEach(async () => {
    ;({ db, test: test_ } = await createMigrated(create))
  })
  afterEach(() => test_.remove())

  const slow = (on: Db['scan'], most = 3_000_000) =>
    sql<{ count: number }>`
      with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${sql.lit(most)})
      select count(*) as count from numbers`.execute(on)

  test('see what was committed, many at once, and say what was wrong with them', async () => {
    const names = async () =>
      (await db.scan.selectFrom('setting').select('key').orderBy('key').execute()).map(
        ({ key }) => key,
      )
    const before = await names()
    await db.transaction((tx) =>
      tx.insertInto('setting').values({ key: 'zzz-scan', value: '1' }).execute(),
    )
    expect(await names()).toEqual([...before, 'zzz-scan'])
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        sql<{ n: number }>`select ${n} + 0 as n`.execute(db.scan),
      ),
    )
    expect(all.map(({ rows }) => Number(rows[0]?.n))).toEqual(Array.from(all.keys()))
    expect(await messageOf(sql`select 1 from nowhere`.execute(db.scan))).toContain('nowhere')
    expect(Number((await slow(db.scan, 10)).rows[0]?.count)).toBe(10)
  })

  test('hold nothing else up', async () => {
    let ended = false
    const scan = slow(db.scan).then(() => {
      ended = true
    })
    let done = 0
    for (; !ended && done < 20; done++) {
      await db.query.selectFrom('setting').select('key').limit(1).execute()
      await Bun.sleep(1)
    }
    await scan
    // Held up, none would be through before it.
    expect(done).toBeGreaterThan(4)
  })
})

test('one that is under way when the database is closed ends with an error', async () => {
  const { db, test: opened } = await createMigrated()
  const scan = sql`
    with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 100000000)
    select count(*) from numbers`.execute(db.scan)
  const ended = messageOf(scan)
  await opened.remove()
  expect(await ended).toContain('closed')
  expect(await messageOf(sql`select 1`.execute(db.scan))).toContain('closed')
})

/** Not by `rejects`, which waits without letting the thread's answer in. */
function messageOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'it succeeded',
    (error: Error) => error.message,
  )
}

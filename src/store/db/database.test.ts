import { afterEach, expect, test } from 'bun:test'
import { migrate } from './migrate.ts'
import { onEachEngine, type TestDatabase } from './test-databases.ts'

onEachEngine('database', (create) => {
  let database: TestDatabase

  afterEach(() => database.remove())

  test('a hundred transactions at once all stand, and one that fails leaves its neighbours alone', async () => {
    database = await create()
    const db = database.open()
    await migrate(db)
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, (_, i) =>
        db.transaction(async (tx) => {
          await tx
            .insertInto('setting')
            .values({ key: `k${i}`, value: 'v' })
            .execute()
          if (i % 10 === 3) throw new Error('changed my mind')
        }),
      ),
    )
    expect(results.filter((r) => r.status === 'rejected').length).toBe(10)
    const rows = await db.query.selectFrom('setting').select('key').execute()
    expect(rows.length).toBe(90)
    expect(rows.some((row) => row.key === 'k3')).toBe(false)
  })

  test('several connections write at once and see each other', async () => {
    database = await create()
    const first = database.open()
    await migrate(first)
    const all = [first, database.open(), database.open()]
    await first.query.insertInto('setting').values({ key: 'n', value: '0' }).execute()
    await Promise.all(
      Array.from({ length: 60 }, (_, i) => {
        const db = all[i % 3] ?? first
        return db.transaction(async (tx) => {
          const row = await db.engine
            .lockRows(tx.selectFrom('setting').select('value').where('key', '=', 'n'), 'update')
            .executeTakeFirstOrThrow()
          await tx
            .updateTable('setting')
            .set({ value: String(Number(row.value) + 1) })
            .where('key', '=', 'n')
            .execute()
        })
      }),
    )
    const row = await first.query.selectFrom('setting').select('value').executeTakeFirstOrThrow()
    expect(row.value).toBe('60')
  })

  test('rows are found by a query that locks them, which is not joined but run first', async () => {
    database = await create()
    const db = database.open()
    await migrate(db)
    const rows = [1, 2, 3, 4].map((i) => ({ key: `k${i}`, value: i % 2 === 0 ? 'even' : 'odd' }))
    await db.query.insertInto('setting').values(rows).execute()
    await db.transaction(async (tx) => {
      const odd = tx.selectFrom('setting').select('key').where('value', '=', 'odd').orderBy('key')
      const update = tx
        .updateTable('setting')
        .set({ value: 'changed' })
        .where(db.engine.among('key', db.engine.lockRows(odd, 'noKeyUpdate')))
      const text = update.compile()
      if (db.engine.name === 'postgres') {
        const plan = await tx.executeQuery({ ...text, sql: `explain ${text.sql}` })
        expect(JSON.stringify(plan.rows)).toContain('InitPlan')
        expect(JSON.stringify(plan.rows)).not.toMatch(/Join|Nested Loop/)
      }
      const changed = await update.returning('key').execute()
      expect(changed.map(({ key }) => key).sort()).toEqual(['k1', 'k3'])
    })
  })

  test('bytes and big integers come back as they went in', async () => {
    database = await create()
    const db = database.open()
    await migrate(db)
    const bytes = new Uint8Array([0, 255, 1, 128])
    const { id } = await db.query
      .insertInto('content')
      .values({ sha256: 'ab', size: 2 ** 52, storage_key: null, state_at: 1, created_at: 1 })
      .returning('id')
      .executeTakeFirstOrThrow()
    await db.query.insertInto('content_body').values({ content: id, bytes }).execute()
    const row = await db.query
      .selectFrom('content')
      .innerJoin('content_body', 'content_body.content', 'content.id')
      .select(['size', 'bytes'])
      .executeTakeFirstOrThrow()
    expect(row.size).toBe(2 ** 52)
    expect(new Uint8Array(row.bytes)).toEqual(bytes)
  })

  test('a unique violation is told apart', async () => {
    database = await create()
    const db = database.open()
    await migrate(db)
    const insert = () =>
      db.transaction((tx) => tx.insertInto('setting').values({ key: 'a', value: 'b' }).execute())
    await insert()
    const error = await insert().then(
      () => undefined,
      (e: unknown) => e,
    )
    expect(db.engine.isUniqueViolation(error)).toBe(true)
  })
})

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync, statfsSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import type { Tx } from './database.ts'
import { migrate } from './migrate.ts'
import { openSqlite, type SqliteDb, type SqliteOptions } from './sqlite.ts'

let folder: string
let file: string
let opened: SqliteDb[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'entrepot-sqlite-'))
  file = join(folder, 'a.db')
  opened = []
})

afterEach(async () => {
  for (const db of opened) await db.close()
  rmSync(folder, { recursive: true, force: true })
})

async function open(options: Omit<SqliteOptions, 'file'> = {}): Promise<SqliteDb> {
  const db = openSqlite({ file, ...options })
  opened.push(db)
  await migrate(db)
  return db
}

const put = (tx: Tx, key: string, value = '') =>
  tx.insertInto('setting').values({ key, value }).execute()

async function keys(db: SqliteDb): Promise<string[]> {
  const rows = await db.query.selectFrom('setting').select('key').orderBy('key').execute()
  return rows.map((row) => row.key)
}

/** Runs works in one tick, so that they share an outer transaction; gives the error codes. */
async function together(db: SqliteDb, works: ((tx: Tx) => Promise<unknown>)[]) {
  const results = await Promise.allSettled(works.map((work) => db.transaction(work)))
  return results.map((result) =>
    result.status === 'fulfilled' ? 'kept' : String(result.reason?.code ?? result.reason?.message),
  )
}

test('tells the room of the disk that holds it', async () => {
  const db = await open()
  const { bavail, bsize, blocks } = statfsSync(folder)
  const room = await db.room()
  // Others write and remove meanwhile, but not half of the disk.
  expect(Math.abs(room - bavail * bsize)).toBeLessThan((blocks * bsize) / 2)
  expect(room).toBeGreaterThan(0)
})

describe('group commit', () => {
  test('a transaction that throws or breaks a constraint takes only its own work with it', async () => {
    const db = await open()
    const outcomes = await together(db, [
      (tx) => put(tx, 'a'),
      async (tx) => {
        await put(tx, 'b')
        throw new Error('no')
      },
      async (tx) => {
        await put(tx, 'c')
        await put(tx, 'a')
      },
      async (tx) => {
        await put(tx, 'a').catch(() => {})
        await put(tx, 'd')
      },
    ])
    expect(outcomes).toEqual(['kept', 'no', 'SQLITE_CONSTRAINT_PRIMARYKEY', 'kept'])
    expect(await keys(db)).toEqual(['a', 'd'])
  })

  test('an outer transaction in which all was undone leaves nothing behind', async () => {
    const db = await open()
    const no = async (tx: Tx) => {
      await put(tx, 'a')
      throw new Error('no')
    }
    expect(await together(db, [no, no])).toEqual(['no', 'no'])
    expect(await together(db, [(tx) => put(tx, 'b')])).toEqual(['kept'])
    expect(await keys(db)).toEqual(['b'])
  })

  test('when SQLite rolls everything back, all whose work is lost are told', async () => {
    const db = await open()
    await sql`create trigger bomb before insert on setting when new.key = 'bomb'
      begin select raise(rollback, 'bomb'); end`.execute(db.query)
    const outcomes = await together(db, [
      (tx) => put(tx, 'before'),
      async (tx) => {
        await put(tx, 'bomb').catch(() => {})
        // On its own this would be committed, though the transaction is gone.
        await put(tx, 'on')
      },
      (tx) => put(tx, 'after'),
    ])
    expect(outcomes).toEqual(['unavailable', 'unavailable', 'kept'])
    expect(await keys(db)).toEqual(['after'])
    expect(await together(db, [(tx) => put(tx, 'later')])).toEqual(['kept'])
    expect(await keys(db)).toEqual(['after', 'later'])
  })

  test('when the outer commit fails, all in it are told', async () => {
    const db = await open()
    const member = { project: 77, account: 77, role: 'guest', created_at: 1 } as const
    const outcomes = await together(db, [
      (tx) => put(tx, 'before'),
      async (tx) => {
        // Moves the check of foreign keys to the commit.
        await sql`pragma defer_foreign_keys = on`.execute(tx)
        await tx.insertInto('member').values(member).execute()
      },
      (tx) => put(tx, 'after'),
    ])
    expect(outcomes).toEqual(['unavailable', 'unavailable', 'unavailable'])
    expect(await together(db, [(tx) => put(tx, 'later')])).toEqual(['kept'])
    expect(await keys(db)).toEqual(['later'])
  })

  test('a full disk: who was refused is told, who was kept is kept, later ones work', async () => {
    const db = await open()
    const limit = async (more: number) => {
      const { rows } = await sql<{ page_count: number }>`select * from pragma_page_count`.execute(
        db.query,
      )
      const pages = sql.lit((rows[0]?.page_count ?? 0) + more)
      await sql`pragma max_page_count = ${pages}`.execute(db.query)
    }
    await limit(8)
    const works = Array.from(
      { length: 30 },
      (_, i) => (tx: Tx) =>
        // Three of them are more than the disk holds.
        put(tx, `k${String(i).padStart(2, '0')}`, 'x'.repeat(i % 10 === 5 ? 100_000 : 10)),
    )
    const outcomes = await together(db, works)
    expect(outcomes.filter((outcome) => outcome === 'storage_full').length).toBeGreaterThan(2)
    expect(new Set(outcomes)).toEqual(new Set(['storage_full', 'kept']))
    const kept = works.map((_, i) => i).filter((i) => outcomes[i] === 'kept')
    expect(await keys(db)).toEqual(kept.map((i) => `k${String(i).padStart(2, '0')}`))
    await limit(1000)
    expect(await together(db, works.slice(5, 6))).toEqual(['kept'])
  })

  test('a statement that comes after the rollback of its transaction is not run', async () => {
    const db = await open()
    let late: Promise<unknown> = Promise.resolve()
    const failed = db.transaction(async (tx) => {
      late = (async () => {
        for (let i = 0; i < 50; i++) await put(tx, `late${i}`)
      })()
      late.catch(() => {})
      await put(tx, 'a')
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    await expect(late).rejects.toThrow()
    await Promise.allSettled([failed, late])
    expect(await keys(db)).toEqual([])
  })
})

describe('durability', () => {
  test('a transaction resolves after the sync of the log, a non-durable one does not wait', async () => {
    const syncs: (() => void)[] = []
    const walSync = {
      sync: () => new Promise<void>((resolve) => syncs.push(resolve)),
      close: async () => {},
    }
    const db = openSqlite({ file, walSync })
    opened.push(db)
    const created = sql`create table setting (key text primary key, value text)`.execute(db.query)
    while (syncs.length === 0) await Bun.sleep(1)
    syncs.pop()?.()
    await created

    const done: string[] = []
    const durable = db.transaction((tx) => put(tx, 'a')).then(() => done.push('durable'))
    const single = db.query
      .insertInto('setting')
      .values({ key: 'b', value: '' })
      .execute()
      .then(() => done.push('single'))
    await db.transaction((tx) => put(tx, 'c'), { durable: false })
    while (syncs.length < 2) await Bun.sleep(1)
    // Committed, and yet not acknowledged.
    expect(await keys(db)).toEqual(['a', 'b', 'c'])
    await Bun.sleep(10)
    expect(done).toEqual([])
    for (const end of syncs) end()
    await Promise.all([durable, single])
    expect(done.length).toBe(2)
  })
})

describe('close', () => {
  test('waits for what runs, refuses what comes later, and can be asked twice', async () => {
    const db = await open()
    const running = Array.from({ length: 20 }, (_, i) => db.transaction((tx) => put(tx, `k${i}`)))
    const closing = [db.close(), db.close()]
    const late = db.transaction((tx) => put(tx, 'late'))
    await expect(late).rejects.toMatchObject({ code: 'unavailable' })
    await Promise.all(running)
    await Promise.all(closing)
    await expect(db.transaction((tx) => put(tx, 'late'))).rejects.toMatchObject({
      code: 'unavailable',
    })
    // Nothing holds the files any more, so that SQLite could put them away.
    expect(existsSync(`${file}-wal`)).toBe(false)
    expect(await keys(await open())).toEqual(running.map((_, i) => `k${i}`).sort())
  })
})

describe('checkpoint', () => {
  test('happens by itself where it was asked for', async () => {
    const db = await open({ checkpoints: true, logLimit: 0 })
    await db.transaction((tx) => put(tx, 'a'))
    const size = () => statSync(`${file}-wal`).size
    for (let i = 0; i < 500 && size() > 0; i++) await Bun.sleep(10)
    expect(size()).toBe(0)
    expect(await keys(db)).toEqual(['a'])
  })

  test('runs beside open transactions of its own process', async () => {
    const db = await open({ checkpoints: false, logLimit: 0 })
    const works = Array.from({ length: 20 }, (_, i) => db.transaction((tx) => put(tx, `k${i}`)))
    await Promise.all([...works, db.checkpoint(), db.checkpoint()])
    expect((await keys(db)).length).toBe(20)
  })
})

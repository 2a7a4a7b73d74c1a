import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { z } from 'zod'
import type { Db } from '../store/db/database.ts'
import { createMigrated, type TestDatabase } from '../store/db/test-databases.ts'
import { createHistoryJob, pruneHistory } from './history.ts'
import type { JobType } from './job.ts'
import {
  claim,
  dueJobs,
  finish,
  firstOfEachLevel,
  type Lease,
  nextDue,
  reap,
  renew,
} from './leases.ts'
import { createJobQueue, type JobQueue, PRIORITIES } from './queue.ts'

const copy: JobType<z.ZodObject<{ image: z.ZodString }>> = {
  name: 'test.copy',
  schema: z.object({ image: z.string() }),
}

const DAY = 24 * 60 * 60_000

export function queueContract(create: () => Promise<TestDatabase>) {
  let database: TestDatabase
  let db: Db
  let queue: JobQueue
  let now: number

  beforeEach(async () => {
    const migrated = await createMigrated(create)
    database = migrated.test
    db = migrated.db
    now = 1_000_000
    queue = createJobQueue({ db, clock: () => now })
  })

  afterEach(() => database.remove())

  const enqueue = async (...options: Parameters<JobQueue['enqueue']>[3][]) => {
    const ids: number[] = []
    for (const option of options) {
      const id = await db.transaction((tx) => queue.enqueue(tx, copy, { image: 'a' }, option))
      if (id !== undefined) ids.push(id)
    }
    return ids
  }

  const claimAll = (priority: number, limit = 10) =>
    db.transaction((tx) =>
      claim(tx, db, priority, {
        owner: 'me',
        names: ['test.copy'],
        now,
        leaseUntil: now + 1,
        limit,
      }),
    )

  describe('enqueue', () => {
    test('a job comes with the transaction that causes it, or not at all', async () => {
      const failed = db.transaction(async (tx) => {
        await queue.enqueue(tx, copy, { image: 'a' })
        throw new Error('changed my mind')
      })
      await expect(failed).rejects.toThrow('changed my mind')
      const [id] = await enqueue({ priority: 'high', runAt: 5 })
      const { items } = await queue.list()
      expect(items).toEqual([
        {
          id: Number(id),
          name: 'test.copy',
          state: 'queued',
          priority: 'high',
          payload: { image: 'a' },
          progress: null,
          error: null,
          attempts: 0,
          maxAttempts: 5,
          cancelRequested: false,
          runAt: 5,
          createdAt: 1_000_000,
          startedAt: null,
          finishedAt: null,
        },
      ])
    })

    test('a payload that does not fit is refused before anything is written', async () => {
      const wrong = { image: 5 } as unknown as { image: string }
      const enqueued = db.transaction((tx) => queue.enqueue(tx, copy, wrong))
      await expect(enqueued).rejects.toThrow('image')
      expect((await queue.list()).items).toEqual([])
    })

    test('a unique key admits one queued or running job, and another after its end', async () => {
      const [first] = await enqueue({ uniqueKey: 'k' })
      expect(await enqueue({ uniqueKey: 'k' })).toEqual([])
      await claimAll(PRIORITIES.normal)
      expect(await enqueue({ uniqueKey: 'k' }, { uniqueKey: 'other' })).toHaveLength(1)
      await db.query
        .updateTable('job')
        .set({ state: 'done' })
        .where('id', '=', Number(first))
        .execute()
      expect(await enqueue({ uniqueKey: 'k' })).toHaveLength(1)
    })

    test('of many who enqueue one key at once, one succeeds', async () => {
      const others = [db, database.open(), database.open()]
      const ids = await Promise.all(
        Array.from({ length: 12 }, (_, i) =>
          (others[i % 3] ?? db).transaction((tx) =>
            queue.enqueue(tx, copy, { image: 'a' }, { uniqueKey: 'k' }),
          ),
        ),
      )
      expect(ids.filter((id) => id !== undefined)).toHaveLength(1)
    })
  })

  describe('claim', () => {
    test('takes what is due of one priority, oldest first, each job once', async () => {
      const [second, third, first] = await enqueue(
        { runAt: 20 },
        { runAt: 20 },
        { runAt: 10 },
        { runAt: now + 1 },
        { priority: 'low' },
      )
      expect(await nextDue(db)).toEqual([
        { priority: PRIORITIES.normal, runAt: 10 },
        { priority: PRIORITIES.low, runAt: now },
      ])
      const ids = (rows: { id: number }[]) => rows.map((row) => row.id)
      expect(ids(await claimAll(PRIORITIES.normal, 2))).toEqual([Number(first), Number(second)])
      expect(ids(await claimAll(PRIORITIES.normal))).toEqual([Number(third)])
      expect(ids(await claimAll(PRIORITIES.normal))).toEqual([])
    })

    test('by several connections at once gives each job to one of them', async () => {
      await enqueue(...Array.from({ length: 30 }, () => ({})))
      const others = [db, database.open(), database.open()]
      const claimed = await Promise.all(
        Array.from({ length: 15 }, (_, i) => {
          const own = others[i % 3] ?? db
          const options = { names: ['test.copy'], now, leaseUntil: now + 1, limit: 3 }
          return own.transaction((tx) =>
            claim(tx, own, PRIORITIES.normal, { ...options, owner: `owner${i}` }),
          )
        }),
      )
      const ids = claimed.flat().map((row) => row.id)
      expect(new Set(ids).size).toBe(ids.length)
      // Rows that another one had locked were left out, and are found the next time.
      expect(ids.length + (await claimAll(PRIORITIES.normal, 100)).length).toBe(30)
    })

    test('goes to its rows by the index', async () => {
      const [first] = await enqueue({})
      // Enough that PostgreSQL would not rather read the table.
      for (let i = 0; i < 11; i++) {
        await sql`insert into job (name, payload, state, run_at, max_attempts, created_at)
          select name, payload, case when ${i} < 3 then 'done' else 'queued' end, run_at + ${i * DAY},
            max_attempts, created_at from job`.execute(db.query)
      }
      if (db.engine.name === 'postgres') await sql`analyze job`.execute(db.query)
      const options = { owner: 'me', names: ['test.copy'], now, leaseUntil: now, limit: 5 }
      for (const query of [
        dueJobs(db, db.query, PRIORITIES.normal, options),
        firstOfEachLevel(db),
      ]) {
        const plan =
          db.engine.name === 'sqlite'
            ? await query.explain(undefined, sql`query plan`)
            : await query.explain('text')
        const text = JSON.stringify(plan)
        expect(text).toContain('job_due')
        expect(text).toContain('priority')
        expect(text).not.toMatch(/SCAN job|Seq Scan|TEMP B-TREE|"Sort/)
      }
      expect((await claimAll(PRIORITIES.normal, 1)).map((row) => row.id)).toEqual([Number(first)])
    })
  })

  test('whoever has lost the lease changes nothing any more', async () => {
    const [id = 0] = await enqueue({})
    await claimAll(PRIORITIES.normal)
    const first: Lease = { id, owner: 'me', attempt: 1 }
    const end = { now: 5, progress: '"first"' }
    now += 2
    expect(await reap(db, now)).toBe(1)
    await claimAll(PRIORITIES.normal)
    const failed = { state: 'failed', error: 'of the first' } as const
    expect(await db.transaction((tx) => renew(tx, first, now + 99, { text: '"first"', now }))).toBe(
      false,
    )
    expect(await db.transaction((tx) => finish(tx, first, failed, end))).toBe(false)
    expect(await queue.find(id)).toMatchObject({ state: 'running', attempts: 2, progress: null })
    const second = { ...first, attempt: 2 }
    const stranger = { ...second, owner: 'you' }
    expect(await db.transaction((tx) => finish(tx, stranger, failed, end))).toBe(false)
    expect(
      await db.transaction((tx) =>
        finish(tx, second, { state: 'done' }, { now, progress: undefined }),
      ),
    ).toBe(true)
    expect(await queue.find(id)).toMatchObject({ state: 'done', finishedAt: now })
  })

  describe('cancel and retry', () => {
    const act = (verb: 'cancel' | 'retry', id: number) =>
      db.transaction((tx) => queue[verb](tx, id))

    test('a queued job ends at once, a running one is asked to', async () => {
      const [queued = 0, running = 0] = await enqueue({ runAt: now + 1 }, {})
      await claimAll(PRIORITIES.normal)
      expect(await act('cancel', queued)).toBe(true)
      expect(await act('cancel', running)).toBe(true)
      expect(await queue.find(queued)).toMatchObject({ state: 'cancelled', finishedAt: now })
      expect(await queue.find(running)).toMatchObject({ state: 'running', cancelRequested: true })
      expect(await act('cancel', queued)).toBe(false)
      expect(await act('cancel', 12345)).toBe(false)
    })

    test('a job that has ended badly can be queued again, unless its key is taken', async () => {
      const [id = 0] = await enqueue({ uniqueKey: 'k' })
      expect(await act('retry', id)).toBe(false)
      await act('cancel', id)
      now += 10
      expect(await act('retry', id)).toBe(true)
      expect(await queue.find(id)).toMatchObject({ state: 'queued', runAt: now, finishedAt: null })
      await act('cancel', id)
      await enqueue({ uniqueKey: 'k' })
      await expect(act('retry', id)).rejects.toMatchObject({ code: 'conflict' })
    })
  })

  test('lists come in pages, newest first, by name and state', async () => {
    const ids = await enqueue({}, {}, {}, {}, {})
    await db.transaction((tx) => queue.cancel(tx, Number(ids[1])))
    const first = await queue.list({ limit: 2 })
    expect(first.items.map((job) => job.id)).toEqual([Number(ids[4]), Number(ids[3])])
    const second = await queue.list({ limit: 2, ...(first.next && { before: first.next }) })
    expect(second.items.map((job) => job.id)).toEqual([Number(ids[2]), Number(ids[1])])
    const last = await queue.list({ limit: 2, ...(second.next && { before: second.next }) })
    expect(last).toMatchObject({ items: [{ id: Number(ids[0]) }], next: undefined })
    expect((await queue.list({ states: ['cancelled', 'done'] })).items).toHaveLength(1)
    expect((await queue.list({ name: 'test.other' })).items).toEqual([])
  })

  describe('history', () => {
    test('forgets what ended long ago, in batches, and nothing else', async () => {
      now = 100 * DAY
      const at = (state: 'done' | 'failed' | 'cancelled' | 'queued', days: number | null) => ({
        name: 'test.copy',
        payload: '{}',
        state,
        priority: state === 'done' ? PRIORITIES.high : PRIORITIES.normal,
        run_at: DAY,
        max_attempts: 1,
        created_at: 1,
        finished_at: days === null ? null : now - days * DAY,
      })
      await db.query
        .insertInto('job')
        .values([
          ...Array.from({ length: 5 }, () => at('done', 31)),
          at('failed', 31),
          at('cancelled', 40),
          at('done', 29),
          at('failed', 1),
          at('queued', null),
        ])
        .execute()
      const counts: number[] = []
      for await (const count of pruneHistory({ db, clock: () => now, batch: 2 })) counts.push(count)
      expect(counts).toEqual([2, 2, 1, 1, 1])
      const left = (await queue.list()).items.map((job) => job.state)
      expect(left.sort()).toEqual(['done', 'failed', 'queued'])
    })

    test('is forgotten by a job', async () => {
      const job = createHistoryJob({ db, clock: () => 100 * DAY })
      await enqueue({ runAt: 1 })
      await db.query.updateTable('job').set({ state: 'done', finished_at: 2 }).execute()
      const seen: unknown[] = []
      await job.run(job.schema.parse({}), {
        id: 1,
        attempt: 1,
        lastProgress: undefined,
        signal: new AbortController().signal,
        progress: (value) => seen.push(value),
        heartbeat: async () => {},
      })
      expect(seen).toEqual([{ removed: 1 }])
      expect((await queue.list()).items).toEqual([])
    })
  })
}

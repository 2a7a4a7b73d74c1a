import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { AppError } from '../lib/errors.ts'
import { silentLog } from '../lib/log.ts'
import { because } from '../lib/reasons.ts'
import type { Db } from '../store/db/database.ts'
import { createMigrated, type TestDatabase } from '../store/db/test-databases.ts'
import { defineJob, type Job, type JobContext, Postponed } from './job.ts'
import { createJobQueue, type EnqueueOptions, type JobQueue } from './queue.ts'
import { createJobWorker, type JobWorker, type JobWorkerDeps } from './worker.ts'

export function workerContract(create: () => Promise<TestDatabase>) {
  let database: TestDatabase
  let db: Db
  let queue: JobQueue
  let workers: JobWorker[]

  beforeEach(async () => {
    const migrated = await createMigrated(create)
    database = migrated.test
    db = migrated.db
    queue = createJobQueue({ db, clock: Date.now })
    workers = []
  })

  afterEach(async () => {
    await Promise.all(workers.map((worker) => worker.stop()))
    await database.remove()
  })

  /** A job of number payloads that calls `run`. */
  const jobOf = (run: (n: number, context: JobContext) => Promise<unknown>, attempts = 3) =>
    defineJob({
      name: 'test.job',
      schema: z.number(),
      retry: { attempts, firstDelayMs: 10, maxDelayMs: 20 },
      async run(n, context) {
        await run(n, context)
      },
    })

  function work(job: Job, options: Partial<JobWorkerDeps> = {}): JobWorker {
    const worker = createJobWorker({
      db,
      queue,
      jobs: [job],
      log: silentLog,
      pollMs: 20,
      graceMs: 500,
      ...options,
    })
    workers.push(worker)
    worker.start()
    return worker
  }

  const enqueue = async (job: Job, payload: unknown, options?: EnqueueOptions) =>
    Number(await db.transaction((tx) => queue.enqueue(tx, job, payload, options)))

  /** Waits until `check` gives something, and gives it. */
  async function until<T>(check: () => Promise<T | undefined | false> | T | undefined | false) {
    for (const start = Date.now(); Date.now() - start < 10_000; await Bun.sleep(5)) {
      const found = await check()
      if (found) return found
    }
    throw new Error('it did not happen')
  }

  const ended = (id: number) =>
    until(async () => {
      const job = await queue.find(id)
      return job?.finishedAt ? job : undefined
    })

  const hang = ({ signal }: JobContext) =>
    new Promise<never>((_, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
    )

  describe('running', () => {
    test('a job enqueued here runs at once, however rarely the queue is looked at', async () => {
      const seen: number[] = []
      const job = jobOf(async (n) => seen.push(n))
      work(job, { pollMs: 60_000 })
      // The first look at the queue is over by then.
      await Bun.sleep(50)
      const id = await enqueue(job, 7)
      expect(await ended(id)).toMatchObject({ state: 'done', attempts: 1, error: null })
      expect(seen).toEqual([7])
    })

    test('one that another process enqueued runs as soon as that is said here', async () => {
      const job = jobOf(async () => {})
      work(job, { pollMs: 60_000 })
      await Bun.sleep(50)
      const elsewhere = createJobQueue({ db, clock: Date.now })
      const id = Number(await db.transaction((tx) => elsewhere.enqueue(tx, job, 1)))
      queue.changedElsewhere()
      expect(await ended(id)).toMatchObject({ state: 'done', attempts: 1 })
    })

    test('each run is counted with its outcome and its time', async () => {
      const counted: [string, string, boolean][] = []
      const metrics: JobWorkerDeps['metrics'] = {
        job: (kind, outcome, seconds) =>
          counted.push([kind, outcome, seconds >= 0 && seconds < 10]),
      }
      const job = jobOf(async (n) => {
        if (n === 2) throw new Error('never')
      }, 2)
      work(job, { metrics })
      await ended(await enqueue(job, 1))
      await ended(await enqueue(job, 2))
      expect(counted).toEqual([
        [job.name, 'done', true],
        [job.name, 'retried', true],
        [job.name, 'failed', true],
      ])
    })

    test('higher priorities go first, nothing before its time, no more at once than allowed', async () => {
      const seen: number[] = []
      let running = 0
      let most = 0
      const job = jobOf(async (n) => {
        most = Math.max(most, ++running)
        seen.push(n)
        await Bun.sleep(2)
        running--
      })
      const later = await enqueue(job, 0, { runAt: Date.now() + 400 })
      await enqueue(job, 3, { priority: 'low' })
      await enqueue(job, 2)
      const last = await enqueue(job, 1, { priority: 'high' })
      work(job, { concurrency: 1 })
      await ended(last)
      const { startedAt, runAt } = await ended(later)
      expect(seen).toEqual([1, 2, 3, 0])
      expect(Number(startedAt)).toBeGreaterThanOrEqual(runAt)
      expect(most).toBe(1)
    })

    test('three workers run each of many jobs once', async () => {
      const seen: number[] = []
      const job = jobOf(async (n) => {
        seen.push(n)
        await Bun.sleep(1)
      })
      await db.transaction(async (tx) => {
        for (let n = 0; n < 60; n++) await queue.enqueue(tx, job, n)
      })
      for (const own of [db, database.open(), database.open()]) work(job, { db: own })
      await until(
        async () => (await queue.list({ states: ['done'], limit: 100 })).items.length === 60,
      )
      expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, n) => n))
    })

    test('jobs of other names are left to others', async () => {
      const job = jobOf(async () => {})
      const id = await enqueue({ ...job, name: 'test.other' }, 1)
      work(job)
      await ended(await enqueue(job, 1))
      expect(await queue.find(id)).toMatchObject({ state: 'queued', attempts: 0 })
    })
  })

  describe('failing', () => {
    test('a job is tried again after a pause, until it succeeds', async () => {
      const job = jobOf(async (_, { attempt }) => {
        if (attempt < 3) throw new Error(`attempt ${attempt}`)
      })
      work(job)
      const id = await enqueue(job, 1)
      expect(await ended(id)).toMatchObject({ state: 'done', attempts: 3, error: 'attempt 2' })
    })

    test('when its attempts are used up it has failed, with the error', async () => {
      const job = jobOf(async (_, { attempt }) => {
        throw new Error(`attempt ${attempt}`)
      }, 2)
      work(job)
      const id = await enqueue(job, 1)
      const found = await ended(id)
      expect(found).toMatchObject({ state: 'failed', attempts: 2, error: 'attempt 2' })
      expect(found.errorSays).toBeUndefined()
    })

    test('what an error says for the console stands beside it', async () => {
      const why = because('tag_immutable', { name: '1.0' })
      const job = jobOf(async () => {
        throw new AppError('immutable', 'tag "1.0" is immutable', why)
      }, 1)
      work(job)
      const id = await enqueue(job, 1)
      expect(await ended(id)).toMatchObject({
        error: 'tag "1.0" is immutable',
        errorSays: { name: 'tag_immutable', params: { name: '1.0' } },
      })
    })

    test('a payload that does not fit fails at once and says why', async () => {
      let runs = 0
      const job = jobOf(async () => runs++)
      const id = await enqueue({ ...job, schema: z.object({ a: z.string() }) }, { a: 'x' })
      work(job)
      const { state, error, attempts } = await ended(id)
      expect({ state, attempts, runs }).toEqual({ state: 'failed', attempts: 1, runs: 0 })
      expect(error).toContain('the payload is not one of test.job: payload: ')
    })
  })

  describe('leases', () => {
    test('a job that takes longer than its lease stays with its worker', async () => {
      let runs = 0
      const job = jobOf(async () => {
        runs++
        await Bun.sleep(900)
      })
      const id = await enqueue(job, 1)
      work(job, { leaseMs: 300 })
      work(job, { leaseMs: 300, db: database.open() })
      expect(await ended(id)).toMatchObject({ state: 'done', attempts: 1 })
      expect(runs).toBe(1)
    })

    test('a worker that stood still loses the job, is told, and its result is discarded', async () => {
      const reasons: string[] = []
      const slow = jobOf(async (_, context) => {
        context.progress('slow')
        await hang(context).catch((error: Error) => reasons.push(error.message))
        await ended(context.id)
        throw new Error('of the slow one')
      })
      const id = await enqueue(slow, 1)
      const now = Date.now()
      const job = jobOf(async (_, { progress }) => progress('quick'))
      // Its time stands still, so that it sees no need to renew anything.
      work(slow, { clock: () => now, concurrency: 1 })
      await until(async () => (await queue.find(id))?.state === 'running')
      work(job, { db: database.open(), clock: () => now + 60_000 })
      expect(await ended(id)).toMatchObject({ state: 'done', attempts: 2, progress: 'quick' })
      await until(() => reasons.length > 0)
      await Bun.sleep(50)
      expect(reasons[0]).toContain('did not renew its lease')
      expect(await queue.find(id)).toMatchObject({ state: 'done', progress: 'quick' })
    })

    test('a job whose process died goes on elsewhere, as often as it has attempts', async () => {
      const seen: unknown[] = []
      const job = jobOf(async (_, { attempt, lastProgress }) =>
        seen.push({ attempt, lastProgress }),
      )
      const ids = [await enqueue(job, 1), await enqueue(job, 2)]
      const dead = { state: 'running', lease_owner: 'dead', lease_until: Date.now() + 200 } as const
      await db.query
        .updateTable('job')
        .set({ ...dead, attempts: 1, progress: '"half"' })
        .execute()
      await db.query
        .updateTable('job')
        .set({ attempts: 3 })
        .where('id', '=', Number(ids[1]))
        .execute()
      work(job, { leaseMs: 300 })
      expect(await ended(Number(ids[0]))).toMatchObject({ state: 'done', attempts: 2 })
      expect(await ended(Number(ids[1]))).toMatchObject({
        state: 'failed',
        error: 'the process that ran it stopped answering',
        errorSays: { name: 'job_lost', params: {} },
      })
      expect(seen).toEqual([{ attempt: 2, lastProgress: 'half' }])
    })
  })

  test('a postponed run comes back at its time, and does not count', async () => {
    const seen: number[] = []
    const job = jobOf(async (_, { attempt }) => {
      seen.push(attempt)
      if (seen.length > 1) return
      throw new Postponed(Date.now() + 60, 'the other side asked for a pause')
    }, 1)
    const id = await enqueue(job, 1)
    work(job)
    expect(await ended(id)).toMatchObject({ state: 'done', attempts: 1, error: null })
    expect(seen).toEqual([1, 1])
  })

  describe('ending', () => {
    test('cancelling a running job aborts it', async () => {
      const job = jobOf((_, context) => hang(context))
      const id = await enqueue(job, 1)
      work(job)
      await until(async () => (await queue.find(id))?.state === 'running')
      await db.transaction((tx) => queue.cancel(tx, id))
      expect(await ended(id)).toMatchObject({ state: 'cancelled', attempts: 1, error: null })
    })

    test('a cancelled job that fails before it hears of it is not tried again', async () => {
      const job = jobOf(async (_, { id }) => {
        await db.transaction((tx) => queue.cancel(tx, id))
        throw new Error('no')
      })
      const id = await enqueue(job, 1)
      work(job)
      expect(await ended(id)).toMatchObject({ state: 'cancelled', attempts: 1 })
    })

    test('shutdown gives the job back without counting the run', async () => {
      const job = jobOf(async (_, context) => {
        if (context.lastProgress === 5) return
        context.progress(5)
        await hang(context)
      })
      const id = await enqueue(job, 1)
      const first = work(job)
      await until(async () => (await queue.find(id))?.state === 'running')
      await first.stop()
      expect(await queue.find(id)).toMatchObject({ state: 'queued', attempts: 0, progress: 5 })
      work(job)
      expect(await ended(id)).toMatchObject({ state: 'done', attempts: 1 })
    })

    test('progress is seen while the job runs, and a heartbeat writes it at once', async () => {
      const seen: unknown[] = []
      const job = jobOf(async (_, { id, progress, heartbeat }) => {
        progress({ step: 1 })
        await until(async () => (await queue.find(id))?.progress)
        seen.push((await queue.find(id))?.progress)
        progress({ step: 2 })
        await heartbeat()
        seen.push((await queue.find(id))?.progress)
        progress({ step: 3 })
      })
      const id = await enqueue(job, 1)
      work(job)
      expect(await ended(id)).toMatchObject({ state: 'done', progress: { step: 3 } })
      expect(seen).toEqual([{ step: 1 }, { step: 2 }])
    })
  })
}

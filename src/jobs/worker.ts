import { type Clock, systemClock } from '../lib/clock.ts'
import { newHex } from '../lib/ids.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import type { Db } from '../store/db/database.ts'
import type { Job } from './job.ts'
import { type ClaimedRow, claim, finish, nextDue, reap, runningOf } from './leases.ts'
import type { JobQueue } from './queue.ts'
import { type Run, startRun } from './run.ts'

export interface JobWorkerDeps {
  db: Db
  queue: JobQueue
  /** What this process can run; jobs of other names are left to others. */
  jobs: readonly Job[]
  log: Log
  metrics?: Pick<Metrics, 'job'>
  clock?: Clock
  /** Jobs at once; 4 unless set. */
  concurrency?: number
  /** How long a job stays with a process that says nothing; 30 s unless set. */
  leaseMs?: number
  /** How often the queue is looked at for what other processes did; 1 s unless set. */
  pollMs?: number
  /** How long `stop` waits for runs to end; 10 s unless set. */
  graceMs?: number
}

export interface JobWorker {
  start(): void
  /** Aborts what runs (it goes back to the queue) and waits for its end, within `graceMs`. */
  stop(): Promise<void>
}

/** First pause after this process changed the queue: the commit is moments away. */
const SOON_MS = 2

/** Runs jobs of the queue. Any number of processes may have a worker on one database. */
export function createJobWorker(deps: JobWorkerDeps): JobWorker {
  const { db, queue, log, metrics, clock = systemClock, concurrency = 4 } = deps
  const { leaseMs = 30_000, pollMs = 1_000, graceMs = 10_000 } = deps
  const owner = newHex(8)
  const jobs = new Map(deps.jobs.map((job) => [job.name, job]))
  const runs = new Set<Run>()
  const sleeper = createSleeper()
  let stopping = false
  let givenUp = false
  let loop: Promise<void> | undefined
  let pause = pollMs
  let wakeAt = Number.POSITIVE_INFINITY
  let reapAt = 0

  const hurry = () => {
    pause = SOON_MS
    sleeper.wake()
  }

  function begin(row: ClaimedRow): void {
    const job = jobs.get(row.name)
    if (!job) return
    const run = startRun({ db, clock, log, leaseMs, metrics }, job, row)
    runs.add(run)
    void run.ended.then(() => {
      runs.delete(run)
      hurry()
    })
  }

  /** Sees to what runs here: cancellations, lost leases, progress and leases to write. */
  async function tend(): Promise<void> {
    for (const run of runs) {
      if (clock() >= run.leaseUntil) await run.renew()
    }
    const running = [...runs]
    const rows = new Map((await runningOf(db, owner)).map((row) => [row.id, row]))
    for (const run of running) {
      const row = rows.get(run.lease.id)
      // One that ended while we read has left the set; telling it so changes nothing.
      if (row?.attempts !== run.lease.attempt) {
        run.abort('lost')
        continue
      }
      if (row.cancel_requested === 1) run.abort('cancelled')
      const age = clock() - (run.leaseUntil - leaseMs)
      if (age > leaseMs / 3 || (age >= pollMs && run.hasNews())) await run.renew()
    }
  }

  async function takeDue(due: readonly number[]): Promise<ClaimedRow[]> {
    const now = clock()
    const options = { owner, names: [...jobs.keys()], now, leaseUntil: now + leaseMs }
    return db.transaction(
      async (tx) => {
        const claimed: ClaimedRow[] = []
        for (const priority of due) {
          const limit = concurrency - runs.size - claimed.length
          if (limit > 0) claimed.push(...(await claim(tx, db, priority, { ...options, limit })))
        }
        return claimed
      },
      { durable: false },
    )
  }

  async function startDue(): Promise<void> {
    const now = clock()
    const levels = await nextDue(db)
    wakeAt = Math.min(...levels.map(({ runAt }) => (runAt > now ? runAt : Infinity)))
    const due = levels.filter(({ runAt }) => runAt <= now).map(({ priority }) => priority)
    if (due.length === 0) return
    const rows = await takeDue(due)
    if (stopping) return giveBack(rows)
    for (const row of rows) begin(row)
    if (rows.length > 0) pause = 0
  }

  /** What was claimed in the moment of the shutdown goes back as if nothing had been. */
  async function giveBack(rows: ClaimedRow[]): Promise<void> {
    for (const row of rows) {
      const outcome = { state: 'queued', runAt: row.run_at, uncounted: true } as const
      const end = { now: clock(), progress: undefined }
      await db.transaction((tx) =>
        finish(tx, { ...row, owner, attempt: row.attempts }, outcome, end),
      )
    }
  }

  async function step(): Promise<void> {
    wakeAt = Number.POSITIVE_INFINITY
    if (runs.size > 0) await tend()
    if (clock() >= reapAt) {
      reapAt = clock() + leaseMs / 3
      const count = await reap(db, clock())
      if (count > 0) log.warn('jobs taken from processes that stopped answering', { count })
    }
    if (!stopping && runs.size < concurrency) await startDue()
  }

  async function work(): Promise<void> {
    while (!givenUp && (!stopping || runs.size > 0)) {
      pause = Math.min(Math.max(pause * 2, SOON_MS), pollMs)
      try {
        await step()
      } catch (error) {
        log.error('job queue not reached', { error })
        pause = pollMs
        // Without the database no lease can be renewed; others will take the jobs over.
        for (const run of runs) if (clock() >= run.leaseUntil) run.abort('lost')
      }
      await sleeper.sleep(Math.max(Math.min(pause, wakeAt - clock()), 0))
    }
  }

  const unsubscribe = queue.onChange(hurry)
  return {
    start() {
      loop ??= work()
    },
    async stop() {
      unsubscribe()
      stopping = true
      for (const run of runs.values()) run.abort('shutdown')
      sleeper.wake()
      await Promise.race([loop, Bun.sleep(graceMs)])
      givenUp = true
    },
  }
}

/** A sleep that can be ended, also just before it begins. */
function createSleeper() {
  let woken = false
  let end = () => {
    woken = true
  }
  return {
    wake: () => end(),
    async sleep(ms: number): Promise<void> {
      if (!woken) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms)
          end = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
      woken = false
      end = () => {
        woken = true
      }
    },
  }
}

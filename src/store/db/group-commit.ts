import type { Database } from 'bun:sqlite'
import { AppError } from '../../lib/errors.ts'
import { isBusy, wireError } from './sqlite-errors.ts'
import type { WaitMark } from './wait-mark.ts'

/*
 * Every transaction is a savepoint inside one outer BEGIN IMMEDIATE … COMMIT, which ends when no
 * transaction is waiting any more; so a hundred small pushes in one tick pay for one commit.
 *
 * One connection has one stack of savepoints, so transactions take turns: whoever has the turn
 * runs its statements, keeps or undoes its savepoint, and passes the turn on. What it kept stands
 * only with the outer commit. A full disk or an I/O error makes SQLite roll back the outer
 * transaction in the middle, and with it every savepoint that was kept in it: all of them are told,
 * and no statement of theirs may run in the next one.
 */

const BUSY_LIMIT_MS = 30_000

/** A transaction in progress: one savepoint, and the turn, until `commit` or `rollback`. */
export interface Work {
  /** Runs one statement. Throws when the savepoint is gone. */
  run<T>(statement: () => T): T
  /** Keeps the savepoint, passes the turn on, resolves at the outer commit. */
  commit(): Promise<void>
  /** Undoes the savepoint and passes the turn on; nothing to do when the work is over. */
  rollback(): void
}

export interface GroupCommit {
  /** Waits for its turn and opens a savepoint. */
  begin(): Promise<Work>
  /** Runs `work` while no transaction is open in this process. */
  alone<T>(work: () => T): Promise<T>
}

interface Outer {
  waiters: { resolve: () => void; reject: (error: unknown) => void }[]
  /** Why SQLite rolled it back, when it did. */
  lost?: unknown
}

/** Shares the commits of `writer`, which nobody else writes to. */
export function createGroupCommit(writer: Database, mark: WaitMark): GroupCommit {
  const turn = createTurn()
  let current: Outer | undefined

  async function openOuter(deadline: number): Promise<Outer> {
    // Only a ROLLBACK that itself failed leaves one behind.
    if (writer.inTransaction) writer.run('ROLLBACK')
    if (mark.othersWait()) await Bun.sleep(2)
    for (;;) {
      try {
        writer.run('BEGIN IMMEDIATE')
        break
      } catch (error) {
        if (!isBusy(error) || Date.now() > deadline) throw error
        mark.wait()
        await Bun.sleep(1 + Math.random())
      }
    }
    const outer: Outer = { waiters: [] }
    // Whoever is ready in this tick joins; then one commit for all.
    setImmediate(() => void closeLater(outer))
    return outer
  }

  async function closeLater(outer: Outer): Promise<void> {
    await turn.take()
    if (current === outer) close(outer)
    turn.pass()
  }

  function close(outer: Outer): void {
    try {
      writer.run('COMMIT')
    } catch (error) {
      lose(outer, error)
      return
    }
    current = undefined
    for (const { resolve } of outer.waiters) resolve()
  }

  /** Gives the outer transaction up and tells everybody whose work was in it. */
  function lose(outer: Outer, error: unknown): void {
    current = undefined
    outer.lost = lossOf(error)
    try {
      if (writer.inTransaction) writer.run('ROLLBACK')
    } catch {
      // The next outer transaction tries again.
    }
    for (const { reject } of outer.waiters) reject(outer.lost)
  }

  function createWork(outer: Outer): Work {
    let over = false
    const end = () => {
      over = true
      turn.pass()
    }
    const run = <T>(statement: () => T): T => {
      if (over) throw new Error('the transaction is over')
      if (outer.lost) throw outer.lost
      try {
        return statement()
      } catch (error) {
        if (!writer.inTransaction) lose(outer, error)
        throw error
      }
    }
    const undo = () => {
      try {
        run(() => writer.run('ROLLBACK TO work'))
        run(() => writer.run('RELEASE work'))
      } catch (error) {
        // What cannot be undone alone must not be committed with the others.
        if (!outer.lost) lose(outer, error)
      }
    }
    return {
      run,
      async commit() {
        try {
          run(() => writer.run('RELEASE work'))
        } catch (error) {
          if (!over) {
            undo()
            end()
          }
          throw wireError(error)
        }
        const committed = new Promise<void>((resolve, reject) =>
          outer.waiters.push({ resolve, reject }),
        )
        end()
        await committed
      },
      rollback() {
        if (over) return
        undo()
        end()
      },
    }
  }

  return {
    async begin() {
      const deadline = Date.now() + BUSY_LIMIT_MS
      await turn.take()
      try {
        current ??= await openOuter(deadline)
        writer.run('SAVEPOINT work')
        return createWork(current)
      } catch (error) {
        if (current && !writer.inTransaction) lose(current, error)
        turn.pass()
        throw wireError(error)
      }
    },
    async alone(work) {
      await turn.take()
      try {
        if (current) close(current)
        return work()
      } finally {
        turn.pass()
      }
    },
  }
}

/** What the neighbours are told: their own work was right, and its place was taken from it. */
function lossOf(error: unknown): unknown {
  const wire = wireError(error)
  if (wire instanceof AppError) return wire
  return new AppError(
    'unavailable',
    'the database rolled this change back; try again',
    { retryAfter: 1 },
    error,
  )
}

/** First come, first served. */
function createTurn() {
  let held = false
  const queue: (() => void)[] = []
  return {
    async take(): Promise<void> {
      if (!held) {
        held = true
        return
      }
      await new Promise<void>((resolve) => queue.push(resolve))
    },
    pass(): void {
      const next = queue.shift()
      if (next) next()
      else held = false
    },
  }
}

import type { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import { AppError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { parseDigest } from '../../oci/digest.ts'
import type { Db } from '../../store/db/database.ts'
import { createRepositoryStore, type TaggedImage } from '../inventory/repository-store.ts'
import { noteListed } from '../inventory/sync-rows.ts'
import type { RunnerIdentity } from './access.ts'
import { createPace, demandWithin, entriesOf } from './bounds.ts'
import type { IssueCopyToken } from './copy-tokens.ts'
import type { CopyToken, RunnerPage, RunnerResult, RunnerTaskView } from './protocol.ts'
import {
  type CurrentTask,
  endTask,
  type HeldTask,
  holdTask,
  leaseTasks,
  releaseTasks,
  writeProgress,
} from './tasks.ts'

const FIRST_LOOK_MS = 20
const LONGEST_LOOK_MS = 250
/** A program has one; a few more are those of which it was cut off. */
const MOST_POLLS = 4

/** Which task somebody speaks of, and by which lease. */
export type Held = Pick<HeldTask, 'id' | 'epoch'>

/** What a runner asks for and says; of tasks that are not its own, or no more, it hears 409. */
export interface TaskAnswers {
  /**
   * Renews what it has, and gives it more: waits until there is something to do, at most `waitMs`,
   * or until `signal` ends it.
   */
  lease(
    runner: RunnerIdentity,
    options: {
      begins: boolean
      held: readonly Held[]
      slots: number
      copies: number
      waitMs: number
      version: string
      signal?: AbortSignal
    },
  ): Promise<{ tasks: RunnerTaskView[]; lost: number[] }>
  /** Who waits for work is answered soon, so that the process can end. */
  stop(): void
  /** Renews the leases. @returns those that are lost */
  hold(runner: RunnerIdentity, tasks: readonly Held[]): Promise<number[]>
  /** What is known of the repository of a `read`. @throws AppError conflict */
  known(
    runner: RunnerIdentity,
    held: Held,
    tags: readonly string[],
  ): Promise<{ tag: string; digest: string; pushedAt: number | null }[]>
  /** @throws AppError conflict, invalid_input */
  page(runner: RunnerIdentity, held: Held, page: RunnerPage): Promise<void>
  /** For the copy that is held. @throws AppError conflict, invalid_input, denied */
  copyToken(runner: RunnerIdentity, held: Held): Promise<z.output<typeof CopyToken>>
  /** @throws AppError conflict, invalid_input */
  end(runner: RunnerIdentity, held: Held, result: RunnerResult): Promise<void>
}

const RESULT_OF = { check: 'checked', list: 'listed', read: 'read', copy: 'copied' } as const

export function createTaskAnswers({
  db,
  clock,
  log,
  issueCopyToken,
}: {
  db: Db
  clock: Clock
  log: Log
  issueCopyToken: IssueCopyToken
}): TaskAnswers {
  let stopping = false
  const demandPace = createPace(() => performance.now())
  const polls = new Map<string, { isOver: boolean }[]>()

  /** Whoever asks again and again beside himself does not keep the database busy. */
  function beginPoll(runner: string): { isOver: boolean } {
    const others = polls.get(runner) ?? []
    const poll = { isOver: false }
    polls.set(runner, [...others, poll].slice(-MOST_POLLS))
    const first = others.length >= MOST_POLLS ? others[0] : undefined
    if (first) first.isOver = true
    return poll
  }

  function endPoll(runner: string, poll: { isOver: boolean }): void {
    const rest = (polls.get(runner) ?? []).filter((other) => other !== poll)
    if (rest.length > 0) polls.set(runner, rest)
    else polls.delete(runner)
  }

  async function demandHeld(runner: RunnerIdentity, held: Held, entries = 0): Promise<CurrentTask> {
    demandPace(runner.id)
    const task = await db.transaction(
      (tx) => holdTask(tx, { ...held, runner: runner.id }, clock(), entries),
      { durable: false },
    )
    if (task) return task
    throw lost(held)
  }

  async function hold({ id: runner }: RunnerIdentity, held: readonly Held[]): Promise<number[]> {
    if (held.length === 0) return []
    demandPace(runner)
    return db.transaction(
      async (tx) => {
        const lost: number[] = []
        for (const { id, epoch } of held) {
          if (!(await holdTask(tx, { runner, id, epoch }, clock()))) lost.push(id)
        }
        return lost
      },
      { durable: false },
    )
  }

  return {
    stop() {
      stopping = true
    },

    async lease(runner, { begins, held, slots, copies, waitMs, version, signal }) {
      const { id } = runner
      demandPace(id)
      await noteVersion(db, id, version)
      if (begins) await db.transaction((tx) => releaseTasks(tx, id), { durable: false })
      const lost = await hold(runner, held)
      const until = performance.now() + waitMs
      const poll = beginPoll(id)
      try {
        for (let pause = FIRST_LOOK_MS; ; pause = Math.min(pause * 2, LONGEST_LOOK_MS)) {
          const tasks = await leaseTasks({ db, clock }, runner, { slots, copies })
          const left = until - performance.now()
          if (tasks.length > 0 || lost.length > 0 || left <= 0) return { tasks, lost }
          await Bun.sleep(Math.min(pause, left))
          if (signal?.aborted || stopping || poll.isOver) return { tasks: [], lost }
        }
      } finally {
        endPoll(id, poll)
      }
    },

    hold,

    async known(runner, held, tags) {
      const { store } = storeOf(await demandHeld(runner, held))
      const found = await store.known(tags)
      return [...found].map(([tag, known]) => ({ tag, ...known }))
    },

    async page(runner, held, page) {
      const task = await demandHeld(runner, held, entriesOf(page))
      await demandWithin(db.query, task)
      if (page.kind === 'progress') {
        if (task.work.kind !== 'copy') throw unfit(page.kind, task)
        const { progress } = page
        await db.transaction((tx) => writeProgress(tx, { ...held, runner: runner.id }, progress), {
          durable: false,
        })
        return
      }
      if (page.kind === 'repositories') {
        if (task.work.kind !== 'list') throw unfit(page.kind, task)
        const byName = new Map(page.found.map((each) => [each.name, each]))
        if (byName.size === 0) return
        const sync = { id: task.work.sync, registry: task.registry }
        await noteListed(db, sync, [...byName.values()])
        return
      }
      const { store } = storeOf(task)
      if (page.kind === 'settled') return store.settle()
      const changed = page.changed.map((image): TaggedImage => {
        const digest = parseDigest(image.digest)
        if (!digest) throw new AppError('invalid_input', 'a digest is none', { field: 'changed' })
        const { createdAt, ...facts } = image.facts
        return { ...image, digest, facts: { ...facts, createdAt } }
      })
      const byTag = new Map(changed.map((image) => [image.tag, image]))
      const seen = new Map(page.unchanged.map((each) => [each.tag, each]))
      await store.write([...seen.values()], [...byTag.values()])
    },

    async copyToken(runner, held) {
      const task = await demandHeld(runner, held)
      if (task.work.kind !== 'copy') throw unfit('a token', task)
      return issueCopyToken(task.work.transfer, task.registry, task.id)
    },

    async end(runner, held, result) {
      const task = await demandHeld(runner, held)
      const { kind } = result
      // Counted here, since the sum of a run is what bounds it.
      const told = kind === 'read' ? { ...result, images: task.entries } : result
      if (kind !== 'failed' && kind !== 'released' && kind !== RESULT_OF[task.work.kind]) {
        throw unfit(kind, task)
      }
      const now = clock()
      const ended = await db.transaction((tx) =>
        endTask(tx, { ...held, runner: runner.id }, told, now),
      )
      if (!ended) throw lost(held)
      if (kind === 'released') return
      log.info('runner task done', {
        runner: runner.id,
        task: held.id,
        epoch: held.epoch,
        kind: task.work.kind,
        registry: task.registry,
        ok: kind !== 'failed',
      })
    },
  }

  function storeOf({ work, registry, id }: CurrentTask) {
    if (work.kind !== 'read') throw unfit('images', { work, id })
    const of = { registry, repository: work.repository, sync: work.sync, now: clock() }
    return { store: createRepositoryStore(db, of) }
  }
}

async function noteVersion(db: Db, id: string, version: string): Promise<void> {
  const row = await db.query
    .selectFrom('runner')
    .select('version')
    .where('id', '=', id)
    .executeTakeFirst()
  if (!row || row.version === version) return
  await db.transaction(
    (tx) => tx.updateTable('runner').set({ version }).where('id', '=', id).execute(),
    { durable: false },
  )
}

function lost({ id }: Held): AppError {
  return new AppError('conflict', `task ${id} is not yours, or not any more`)
}

function unfit(what: string, { id, work }: Pick<CurrentTask, 'id' | 'work'>): AppError {
  return new AppError('invalid_input', `"${what}" is no answer to task ${id}, a ${work.kind}`)
}

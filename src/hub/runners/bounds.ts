import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type { Queryable } from '../../store/db/database.ts'
import type { RunnerPage } from './protocol.ts'
import type { CurrentTask } from './tasks.ts'

/*
 * A runner is outside, and may say what it likes of a registry that nobody else can look into. What
 * one answer may hold stands in the protocol; this bounds how many there are, so that the database
 * is not filled, nor kept busy, by one that invents.
 */

/** Repositories that one run may name. */
const MOST_REPOSITORIES = 200_000
/** Tags that it may tell of one repository. */
const MOST_TAGS = 250_000
/** Images of all repositories of a registry. */
const MOST_IMAGES = 5_000_000
/** Calls of one runner a second, at each process of the hub; so many more may come at once. */
const CALLS_PER_SECOND = 200
const CALLS_AT_ONCE = 1_000

export function entriesOf(page: RunnerPage): number {
  switch (page.kind) {
    case 'repositories':
      return page.found.length
    case 'images':
      return page.unchanged.length + page.changed.length
    default:
      return 0
  }
}

/**
 * That what was told of a task with this page is not more than any registry has.
 * @throws AppError too_large
 */
export async function demandWithin(
  on: Queryable,
  { work, entries }: Pick<CurrentTask, 'work' | 'entries'>,
  most = { repositories: MOST_REPOSITORIES, tags: MOST_TAGS, images: MOST_IMAGES },
): Promise<void> {
  if (entries === 0) return
  if (work.kind === 'list' && entries > most.repositories) {
    throw tooMuch(`more than ${most.repositories} repositories`)
  }
  if (work.kind !== 'read') return
  if (entries > most.tags) throw tooMuch(`more than ${most.tags} tags of one repository`)
  const sync = await on
    .selectFrom('image_sync')
    .select('images')
    .where('id', '=', work.sync)
    .executeTakeFirst()
  if ((sync?.images ?? 0) + entries > most.images) {
    throw tooMuch(`more than ${most.images} images of one registry`)
  }
}

function tooMuch(what: string): AppError {
  return new AppError(
    'too_large',
    `the runner told of ${what}, which is the most that is kept`,
    because('runner_told_too_much', {}),
  )
}

/**
 * Counts the calls of each runner. @returns says that one came
 * @throws (the result) AppError rate_limited
 */
export function createPace(
  now: () => number,
  { perSecond = CALLS_PER_SECOND, atOnce = CALLS_AT_ONCE } = {},
): (runner: string) => void {
  const left = new Map<string, { calls: number; at: number }>()
  return (runner) => {
    const at = now()
    const before = left.get(runner) ?? { calls: atOnce, at }
    const calls = Math.min(atOnce, before.calls + ((at - before.at) / 1_000) * perSecond)
    left.set(runner, { calls: Math.max(0, calls - 1), at })
    if (calls >= 1) return
    throw new AppError(
      'rate_limited',
      `a runner may make ${perSecond} calls a second; this one makes more`,
      { retryAfter: 1 },
    )
  }
}

import { sql } from 'kysely'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Db } from '../store/db/database.ts'
import { chunked } from './chunked.ts'
import { ALL_PROJECTS, dayOf } from './usage-days.ts'

/*
 * How often is pushed and pulled, by project and day. Nothing is written while that happens: it is
 * counted in memory and added now and then. A process that is killed forgets the last seconds.
 */

const FLUSH_MS = 10_000

export interface Activity {
  /** A manifest was given a tag. */
  pushed(project: number): void
  /** A manifest was read, by the id of its row. */
  pulled(manifest: number): void
  /** Writes what was counted. */
  flush(): Promise<void>
  /** Writes the rest and ends. */
  stop(): Promise<void>
}

interface Counts {
  pushes: number
  pulls: number
}

export function createActivity(deps: { db: Db; clock: Clock; log: Log }): Activity {
  const { db, clock, log } = deps
  let pushes = new Map<number, number>()
  let pulls = new Map<number, number>()
  let timer: Timer | undefined
  let writing = Promise.resolve()

  function flush(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    const [pushed, pulled] = [pushes, pulls]
    pushes = new Map()
    pulls = new Map()
    writing = writing
      .then(() => write(db, dayOf(clock()), pushed, pulled))
      .catch((error: unknown) => log.warn('pushes and pulls not counted', { error }))
    return writing
  }

  function note(counted: Map<number, number>, id: number): void {
    counted.set(id, (counted.get(id) ?? 0) + 1)
    timer ??= setTimeout(() => void flush(), FLUSH_MS)
  }

  return {
    pushed: (project) => note(pushes, project),
    pulled: (manifest) => note(pulls, manifest),
    flush,
    stop: flush,
  }
}

async function write(
  db: Db,
  day: number,
  pushes: Map<number, number>,
  pulls: Map<number, number>,
): Promise<void> {
  const counts = new Map<number, Counts>()
  const add = (project: number, { pushes, pulls }: Counts) => {
    for (const row of [ALL_PROJECTS, project]) {
      const before = counts.get(row) ?? { pushes: 0, pulls: 0 }
      counts.set(row, { pushes: before.pushes + pushes, pulls: before.pulls + pulls })
    }
  }
  for (const [project, count] of pushes) add(project, { pushes: count, pulls: 0 })
  for (const some of chunked([...pulls.keys()])) {
    for (const { manifest, project } of await projectsOf(db, some)) {
      add(project, { pushes: 0, pulls: pulls.get(manifest) ?? 0 })
    }
  }
  // In one order, so that processes that add to the same rows never wait in a circle.
  const rows = [...counts]
    .map(([project, count]) => ({ project, day, ...count }))
    .sort((a, b) => a.project - b.project)
  for (const some of chunked(rows)) {
    await db.transaction(
      (tx) =>
        tx
          .insertInto('usage')
          .values(some)
          .onConflict((conflict) =>
            conflict.columns(['project', 'day']).doUpdateSet((eb) => ({
              pushes: eb('usage.pushes', '+', eb.ref('excluded.pushes')),
              pulls: eb('usage.pulls', '+', eb.ref('excluded.pulls')),
            })),
          )
          .execute(),
      { durable: false },
    )
  }
}

/** Only of manifests that stand for themselves: the parts of an index are read with it. */
function projectsOf(db: Db, manifests: readonly number[]) {
  return db.query
    .selectFrom('manifest')
    .innerJoin('repository', 'repository.id', 'manifest.repository')
    .select(['manifest.id as manifest', 'repository.project as project'])
    .where('manifest.id', 'in', manifests)
    .where('manifest.listed', '=', sql.lit(1))
    .execute()
}

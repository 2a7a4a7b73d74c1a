import { sql } from 'kysely'
import type { Db, Queryable } from '../store/db/database.ts'
import { type Viewer, visibleProjects } from './offset-list.ts'
import { physicalBytes } from './overview.ts'
import { usageOf } from './usage.ts'

/*
 * Use over time: one row for each project and day, and one for all together. Sizes are those that
 * were measured last on the day, pushes and pulls are counted while they happen (`activity.ts`).
 */

/** Stands for all projects together, in the place of a project's id. */
export const ALL_PROJECTS = 0
/** Older days are forgotten. */
const KEPT_DAYS = 2 * 366
export const DAY_MS = 86_400_000

/** Days since 1970, in UTC. */
export const dayOf = (at: number): number => Math.floor(at / DAY_MS)

export interface UsageDay {
  /** When the day began, epoch milliseconds. */
  at: number
  /** Bytes; null: not measured on that day. */
  logicalBytes: number | null
  uniqueBytes: number | null
  /** Of all projects only. */
  physicalBytes: number | null
  pushes: number
  pulls: number
}

/** What is used now, for every project, from the folded counters and what is not folded yet. */
const MEASURED = sql`
  select project, sum(logical_bytes) as logical_bytes, sum(unique_bytes) as unique_bytes
  from (
    select project, logical_bytes, unique_bytes from project_usage
    union all
    select project, logical_bytes, unique_bytes from usage_delta
  ) part
  where project in (select id from project where state = 'live')
  group by project`

/** Writes down what every project uses now, in the row of today, and forgets very old days. */
export async function sampleUsage(db: Db, now: number): Promise<void> {
  const day = dayOf(now)
  const stored = await physicalBytes(db)
  const update = sql`on conflict (project, day) do update set
    logical_bytes = excluded.logical_bytes, unique_bytes = excluded.unique_bytes,
    physical_bytes = excluded.physical_bytes`
  await db.transaction(async (tx) => {
    // All first, as where pushes are counted. "where true": SQLite would take "on" for a join.
    await sql`
      insert into usage (project, day, logical_bytes, unique_bytes, physical_bytes)
      select ${sql.lit(ALL_PROJECTS)}, ${sql.lit(day)}, coalesce(sum(logical_bytes), 0),
        coalesce(sum(unique_bytes), 0), ${sql.lit(stored)}
      from (${MEASURED}) measured where true ${update}`.execute(tx)
    await sql`
      insert into usage (project, day, logical_bytes, unique_bytes, physical_bytes)
      select project, ${sql.lit(day)}, logical_bytes, unique_bytes, null
      from (${MEASURED}) measured where true order by project ${update}`.execute(tx)
    await tx
      .deleteFrom('usage')
      .where('day', '<', day - KEPT_DAYS)
      .execute()
  })
}

/** Whose use is asked for: one project's, or what all that somebody may see use together. */
export type UsageScope = { project: number } | { viewer: Viewer }

/** What is used at this moment, exactly. Bytes. */
export async function measureUsage(
  on: Queryable,
  scope: UsageScope,
): Promise<{ logicalBytes: number; uniqueBytes: number }> {
  if ('project' in scope) return usageOf(on, scope.project)
  const { rows } = await sql<{ logical: number; own: number }>`
    select coalesce(sum(logical_bytes), 0) as logical, coalesce(sum(unique_bytes), 0) as own
    from (${MEASURED}) measured
    where ${scope.viewer === 'all' ? sql`true` : within(scope)}`.execute(on)
  return { logicalBytes: Number(rows[0]?.logical ?? 0), uniqueBytes: Number(rows[0]?.own ?? 0) }
}

/** The last `days` days up to today, oldest first; days without a row are left out. */
export async function readUsageDays(
  on: Queryable,
  scope: UsageScope,
  { days, now }: { days: number; now: number },
): Promise<UsageDay[]> {
  const { rows } = await sql<{
    day: number
    logical: number | null
    own: number | null
    physical: number | null
    pushes: number
    pulls: number
  }>`
    select day, sum(logical_bytes) as logical, sum(unique_bytes) as own,
      sum(physical_bytes) as physical, sum(pushes) as pushes, sum(pulls) as pulls
    from usage
    where day > ${dayOf(now) - days} and ${within(scope)}
    group by day order by day`.execute(on)
  const number = (value: number | null) => (value === null ? null : Number(value))
  return rows.map((row) => ({
    at: Number(row.day) * DAY_MS,
    logicalBytes: number(row.logical),
    uniqueBytes: number(row.own),
    physicalBytes: number(row.physical),
    pushes: Number(row.pushes),
    pulls: Number(row.pulls),
  }))
}

function within(scope: UsageScope) {
  if ('project' in scope) return sql`project = ${scope.project}`
  if (scope.viewer === 'all') return sql`project = ${ALL_PROJECTS}`
  return sql`project in (${visibleProjects(scope.viewer)})`
}

import { sql } from 'kysely'
import type { Db } from '../store/db/database.ts'
import { type Viewer, visibleProjects } from './offset-list.ts'

/** How much there is, over all projects that somebody may see. */
export interface Overview {
  projects: number
  repositories: number
  tags: number
  logicalBytes: number
  uniqueBytes: number
  /** Those that use most come first. */
  largest: LargeProject[]
}

export interface LargeProject {
  id: number
  name: string
  isPublic: boolean
  quota: number
  uniqueBytes: number
  repositories: number
}

/** From counters: nothing is read but a row for each project. */
export async function readOverview(db: Db, viewer: Viewer, most: number): Promise<Overview> {
  const seen =
    viewer === 'all'
      ? sql`select id from project where state = 'live'`
      : sql`select id from project where state = 'live' and id in (${visibleProjects(viewer)})`
  const { rows } = await sql<{
    projects: number
    repositories: number
    logical: number
    own: number
    tags: number
  }>`
    select (select count(*) from (${seen}) counted) as projects,
      coalesce(sum(repository_count), 0) as repositories,
      coalesce(sum(logical_bytes), 0) as logical,
      coalesce(sum(unique_bytes), 0) as own,
      (select coalesce(sum(tag_count), 0) from repository
        where state = 'live' and project in (${seen}))
      + (select coalesce(sum(tag_count), 0) from usage_delta where project in (${seen})) as tags
    from (
      select repository_count, logical_bytes, unique_bytes
      from project_usage where project in (${seen})
      union all
      select repository_count, logical_bytes, unique_bytes
      from usage_delta where project in (${seen})
    ) part`.execute(db.query)
  const { rows: largest } = await sql<{
    id: number
    name: string
    is_public: number
    quota: number
    own: number
    repositories: number
  }>`
    select p.id, p.name, p.is_public, p.quota, part.own, part.repositories
    from (
      select project, sum(unique_bytes) as own, sum(repository_count) as repositories
      from (
        select project, unique_bytes, repository_count
        from project_usage where project in (${seen})
        union all
        select project, unique_bytes, repository_count
        from usage_delta where project in (${seen})
      ) each_part group by project
    ) part join project p on p.id = part.project
    order by part.own desc, p.name limit ${most}`.execute(db.query)
  const [sum] = rows
  return {
    projects: Number(sum?.projects ?? 0),
    repositories: Number(sum?.repositories ?? 0),
    tags: Number(sum?.tags ?? 0),
    logicalBytes: Number(sum?.logical ?? 0),
    uniqueBytes: Number(sum?.own ?? 0),
    largest: largest.map((row) => ({
      id: row.id,
      name: row.name,
      isPublic: row.is_public === 1,
      quota: row.quota,
      uniqueBytes: Number(row.own),
      repositories: Number(row.repositories),
    })),
  }
}

/** Bytes that content takes in the store, of all projects: for those who look after the disk. */
export async function physicalBytes(db: Db): Promise<number> {
  const { sum } = await db.query
    .selectFrom('content')
    .select(({ fn }) => fn.sum<number>('size').as('sum'))
    .where('state', '=', sql.lit('live'))
    .executeTakeFirstOrThrow()
  return Number(sum ?? 0)
}

import { sql } from 'kysely'
import type { Db } from '../store/db/database.ts'
import { containing } from '../store/db/search.ts'
import {
  type OffsetPage,
  type OffsetResult,
  resultOf,
  type Viewer,
  visibleProjects,
  within,
} from './offset-list.ts'

/** A repository with its project, as lists and details show it. */
export interface ListedRepository {
  id: number
  project: string
  isPublic: boolean
  /** The path below the project. */
  name: string
  summary: string
  description: string
  /** Tags that people set; those of signatures and attestations are not counted. */
  tagCount: number
  createdAt: number
}

/** Of one project by id, or of all that somebody may see. */
export type RepositoryScope = { project: number } | { viewer: Viewer }

export interface RepositoryList {
  /**
   * By project and name, in one statement; the total comes from counters unless `nameHas` is set.
   */
  page(asked: OffsetPage & { of: RepositoryScope }): Promise<OffsetResult<ListedRepository>>
  get(project: number, name: string): Promise<ListedRepository | undefined>
}

interface RepositoryRow {
  id: number | null
  project: string
  is_public: number
  name: string
  summary: string
  description: string
  tag_count: number
  created_at: number
}

export function createRepositoryList({ db }: { db: Db }): RepositoryList {
  return {
    async page(asked) {
      const { rows } = await repositoryListQuery(asked).execute(db.query)
      return resultOf(rows, itemOf)
    },

    async get(project, name) {
      const { rows } = await sql<RepositoryRow>`
        select ${COLUMNS}
        from repository r join project p on p.id = r.project
        where r.project = ${project} and r.name = ${name} and r.state = 'live'
          and p.state = 'live'`.execute(db.query)
      return rows[0] && itemOf({ ...rows[0], id: rows[0].id ?? 0 })
    },
  }
}

const COLUMNS = sql`r.id, p.name as project, p.is_public, r.name, r.summary, r.description,
  r.created_at, r.tag_count
    + coalesce((select sum(d.tag_count) from usage_delta d where d.repository = r.id), 0)
    - (select count(*) from tag t where t.repository = r.id and t.accessory = 1) as tag_count`

/**
 * The statement of `page`. The page is found in the index of names alone; only its rows are read.
 * A project with live repositories is live itself, so `repository` decides.
 */
export function repositoryListQuery({
  of,
  nameHas,
  ...range
}: OffsetPage & { of: RepositoryScope }) {
  const owned = ownedBy(of)
  const chosen = sql`from repository where state = 'live' ${owned}
    ${nameHas ? sql`and ${containing('name', nameHas)}` : sql``}`
  const order = 'project' in of ? sql`name` : sql`project, name`
  const total = nameHas
    ? sql`select count(*) as n ${chosen}`
    : sql`select
        coalesce((select sum(repository_count) from project_usage where true ${owned}), 0)
        + coalesce((select sum(repository_count) from usage_delta where true ${owned}), 0) as n`
  return sql<RepositoryRow & { total: number }>`
    select total.n as total, ${COLUMNS}
    from (${total}) total
    left join (select id ${chosen} order by ${order} ${within(range)}) page on true
    left join repository r on r.id = page.id
    left join project p on p.id = r.project
    order by ${'project' in of ? sql`r.name` : sql`r.project, r.name`}`
}

function ownedBy(of: RepositoryScope) {
  if ('project' in of) return sql`and project = ${of.project}`
  return of.viewer === 'all' ? sql`` : sql`and project in (${visibleProjects(of.viewer)})`
}

function itemOf(row: RepositoryRow & { id: number }): ListedRepository {
  return {
    id: row.id,
    project: row.project,
    isPublic: row.is_public === 1,
    name: row.name,
    summary: row.summary,
    description: row.description,
    tagCount: Number(row.tag_count),
    createdAt: row.created_at,
  }
}

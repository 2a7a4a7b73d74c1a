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

/** A project with what it uses. */
export interface ListedProject {
  id: number
  name: string
  isPublic: boolean
  /** Bytes, or -1. */
  quota: number
  /** What the quota is charged with, bytes. */
  uniqueBytes: number
  createdAt: number
  updatedAt: number
}

export interface ProjectList {
  /** By name in byte order, in one statement. */
  page(asked: OffsetPage & { viewer: Viewer }): Promise<OffsetResult<ListedProject>>
}

interface ProjectRow {
  total: number
  id: number | null
  name: string
  is_public: number
  quota: number
  unique_bytes: number
  created_at: number
  updated_at: number
}

export function createProjectList({ db }: { db: Db }): ProjectList {
  return {
    async page({ viewer, nameHas, ...range }) {
      const { rows } = await projectListQuery({ viewer, nameHas, ...range }).execute(db.query)
      return resultOf(rows, (row) => ({
        id: row.id,
        name: row.name,
        isPublic: row.is_public === 1,
        quota: row.quota,
        uniqueBytes: Number(row.unique_bytes),
        createdAt: row.created_at,
        updatedAt: row.updated_at,
      }))
    },
  }
}

/** The statement of `page`. */
function projectListQuery({ viewer, nameHas, ...range }: OffsetPage & { viewer: Viewer }) {
  const seen = viewer === 'all' ? sql`` : sql`and id in (${visibleProjects(viewer)})`
  const named = nameHas ? sql`and ${containing('name', nameHas)}` : sql``
  const chosen = sql`from project where state = 'live' ${seen} ${named}`
  return sql<ProjectRow>`
    select total.n as total, project.id, project.name, project.is_public, project.quota,
      project.created_at, project.updated_at,
      coalesce(u.unique_bytes, 0) + coalesce((
        select sum(d.unique_bytes) from usage_delta d where d.project = page.id), 0) as unique_bytes
    from (select count(*) as n ${chosen}) total
    left join (select id, name ${chosen} order by name ${within(range)}) page on true
    left join project on project.id = page.id
    left join project_usage u on u.project = page.id
    order by page.name`
}

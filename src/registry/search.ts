import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { Db } from '../store/db/database.ts'
import { containing } from '../store/db/search.ts'
import { type Viewer, visibleProjects } from './offset-list.ts'

/** Something with a name that was looked for. */
export interface Found {
  kind: 'project' | 'repository' | 'chart'
  id: number
  project: string
  /** The path below the project; of a project none. */
  repository: string | null
  summary: string
}

export interface SearchAsked {
  /** Part of a name; with a slash also across the border of project and repository. */
  text: string
  viewer: Viewer
  limit: number
  after?: SearchPosition | undefined
}

/** A place in the results: projects by name, then repositories by path. */
export interface SearchPosition {
  kind: 'project' | 'repository'
  name: string
  id: number
}

/**
 * Projects, repositories and charts whose name contains a text. Names are read off indexes in
 * their order, so a text that many have costs as little as a page, and one that none has one pass
 * over an index; rows are read only of what is shown.
 */
export async function searchNames(db: Db, asked: SearchAsked): Promise<Found[]> {
  const { limit, after } = asked
  const projects = after?.kind === 'repository' ? [] : await findProjects(db, asked)
  const left = limit - projects.length
  if (left <= 0) return projects
  return [...projects, ...(await findRepositories(db, { ...asked, limit: left }))]
}

export function positionOf({ kind, id, project, repository }: Found): SearchPosition {
  return kind === 'project'
    ? { kind, name: project, id }
    : { kind: 'repository', name: repository ?? '', id }
}

async function findProjects(db: Db, { text, viewer, limit, after }: SearchAsked): Promise<Found[]> {
  if (text.includes('/')) return []
  const seen = viewer === 'all' ? sql`` : sql`and id in (${visibleProjects(viewer)})`
  const from = after ? sql`and name > ${after.name}` : sql``
  const { rows } = await sql<{ id: number; name: string; description: string }>`
    select id, name, description from project
    where state = 'live' and ${containing('name', text)} ${seen} ${from}
    order by name limit ${limit}`.execute(db.query)
  return rows.map((row) => ({
    kind: 'project',
    id: row.id,
    project: row.name,
    repository: null,
    summary: row.description,
  }))
}

async function findRepositories(db: Db, asked: SearchAsked): Promise<Found[]> {
  const { text, viewer, limit, after } = asked
  const seen = viewer === 'all' ? sql`` : sql`and project in (${visibleProjects(viewer)})`
  const from =
    after?.kind === 'repository' ? sql`and (name, id) > (${after.name}, ${after.id})` : sql``
  const { rows } = await sql<{
    id: number
    project: string
    name: string
    summary: string
    is_chart: number
  }>`
    select r.id, p.name as project, r.name, r.summary,
      case when exists (select 1 from chart_version c
        where c.repository = r.id and c.tag is not null) then 1 else 0 end as is_chart
    from (
      select id, name from repository
      where state = 'live' and ${named(text)} ${seen} ${from}
      order by name, id limit ${limit}
    ) page
    join repository r on r.id = page.id
    join project p on p.id = r.project
    order by page.name, page.id`.execute(db.query)
  return rows.map((row) => ({
    kind: row.is_chart === 1 ? 'chart' : 'repository',
    id: row.id,
    project: row.project,
    repository: row.name,
    summary: row.summary,
  }))
}

/** `shop/we` is meant within a path, and for the project `…shop` with a repository `we…`. */
function named(text: string): RawBuilder<SqlBool> {
  const slash = text.indexOf('/')
  if (slash < 0) return containing('name', text)
  const project = text.slice(0, slash)
  const path = text.slice(slash + 1)
  return sql<SqlBool>`(${containing('name', text)} or ${beginning('name', path)} and project in (
    select id from project where state = 'live' and ${ending('name', project)}))`
}

const escaped = (text: string): string => text.toLowerCase().replace(/[\\%_]/g, '\\$&')

const beginning = (column: string, text: string) =>
  sql<SqlBool>`${sql.ref(column)} like ${`${escaped(text)}%`} escape '\\'`

const ending = (column: string, text: string) =>
  sql<SqlBool>`${sql.ref(column)} like ${`%${escaped(text)}`} escape '\\'`

import { type RawBuilder, sql } from 'kysely'

/** Whose view of the projects: everything, or what this account (null: anonymous) may look at. */
export type Viewer = 'all' | number | null

/** The ids of live projects that are public or that the account is a member of. */
export function visibleProjects(viewer: Exclude<Viewer, 'all'>): RawBuilder<unknown> {
  return sql`select id from project where state = 'live' and (is_public = 1
    or id in (select project from member where account = ${viewer ?? -1}))`
}

/** One page of a list by its number: for faces whose callers count pages and want a total. */
export interface OffsetPage {
  offset: number
  /** undefined: all that there are. */
  limit: number | undefined
  nameHas?: string | undefined
}

export interface OffsetResult<T> {
  /** Of all pages. */
  total: number
  items: T[]
}

/** The rows of `page left join`: the total stands in each, and an empty page has one without id. */
export function resultOf<R extends { total: number | null; id: number | null }, T>(
  rows: readonly R[],
  toItem: (row: R & { id: number }) => T,
): OffsetResult<T> {
  const items = rows.flatMap((row) => (row.id === null ? [] : [toItem({ ...row, id: row.id })]))
  return { total: Number(rows[0]?.total ?? 0), items }
}

/** SQLite takes an offset only together with a limit; no table is as long as this. */
const NO_LIMIT = 9_007_199_254_740_991

export function within({ offset, limit }: OffsetPage): RawBuilder<unknown> {
  return sql`limit ${limit ?? NO_LIMIT} offset ${offset}`
}

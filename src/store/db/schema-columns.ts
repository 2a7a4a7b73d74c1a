import type { Generated } from 'kysely'

/** SQLite knows no other boolean. */
export type Flag = 0 | 1

/** Of rows that can be put into the trash; their names are unique among the live ones only. */
export interface TrashColumns {
  state: Generated<'live' | 'trashed'>
  trashed_at: number | null
  trashed_by: number | null
  trash_reason: string | null
}

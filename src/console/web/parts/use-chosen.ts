import { useState } from 'react'
import type { ListResult } from './list.tsx'

/** What the boxes before the rows of a `List` show and do. */
export interface Choice<T> {
  chosen: readonly T[]
  choose: (rows: readonly T[]) => void
  /** Of the box of a row, for those who do not see it. */
  labelOf: (row: T) => string
}

/**
 * Rows of a list that somebody chose to do something with all of them. They are of the page that is
 * shown: what is out of sight, or went meanwhile, is not among them.
 */
export function useChosen<T extends { id: number }>(
  list: ListResult<T>,
  labelOf: (row: T) => string,
): Choice<T> {
  const [ids, setIds] = useState<readonly number[]>([])
  const shown = list.isPlaceholderData ? [] : (list.data?.items ?? [])
  return {
    chosen: shown.filter(({ id }) => ids.includes(id)),
    choose: (rows) => setIds(rows.map(({ id }) => id)),
    labelOf,
  }
}

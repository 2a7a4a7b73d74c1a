/** One page of a list, by key. */
export interface Page<T> {
  items: T[]
  /** Give it as `after` for the next page; undefined: this was the last. */
  next?: string
}

export interface PageRequest {
  /** The `next` of the page before. */
  after?: string | undefined
  /** 1 to 1,000. */
  limit?: number | undefined
}

/** Rows to ask for: one more than the page holds tells whether there is a next one. */
export function rowsToRead({ limit = 100 }: PageRequest): number {
  return Math.min(Math.max(Math.trunc(limit) || 1, 1), 1_000) + 1
}

/** Makes the page of what `rowsToRead` gave. */
export function pageOf<R, T>(
  rows: R[],
  read: number,
  keyOf: (row: R) => string,
  toItem: (row: R) => T,
): Page<T> {
  const items = rows.slice(0, read - 1)
  const last = items.at(-1)
  return {
    items: items.map(toItem),
    ...(rows.length === read && last !== undefined ? { next: keyOf(last) } : {}),
  }
}

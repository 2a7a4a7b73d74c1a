import type { Query, QueryClient, QueryKey } from '@tanstack/react-query'
import { sessionQuery } from '../session.ts'

/** What pages have read: as far as it is needed to read it again, a `QueryClient`. */
export type Renewable = Pick<QueryClient, 'cancelQueries' | 'invalidateQueries'>

/**
 * Reads again what is shown of what begins with `key`; what is not shown is read when it is.
 * Reads that began before do not count, so the answer is never older than this call.
 * @returns resolves when all was read
 */
export async function readAgain(queries: Renewable, key: QueryKey): Promise<void> {
  // Invalidation alone begins anew what was read before; a first read that is under way it would
  // take for the new one.
  void queries.cancelQueries({ queryKey: key, predicate: isFirstRead })
  await queries.invalidateQueries({ queryKey: key })
}

/**
 * Somebody changed something here: what begins with one of `keys` is read again, and all else
 * before it is shown the next time, so that no page shows what it read before the change.
 * @param keys none: nothing was changed
 * @returns resolves when what is shown of them was read
 */
export async function renew(queries: Renewable, keys: readonly QueryKey[]): Promise<void> {
  if (keys.length === 0) return
  void queries.invalidateQueries({ predicate: isOfContent, refetchType: 'none' })
  await Promise.all(keys.map((key) => readAgain(queries, key)))
}

const isFirstRead = ({ state }: Query): boolean =>
  state.data === undefined && state.fetchStatus !== 'idle'

/** Who is signed in does not follow from what there is, and every page asks it. */
const isOfContent = ({ queryKey }: Query): boolean => queryKey[0] !== sessionQuery.queryKey[0]

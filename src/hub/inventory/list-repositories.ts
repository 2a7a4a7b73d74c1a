import type { Listed, ListedRepository } from '../../client/inventory.ts'
import type { RemoteRegistry } from '../../client/remote-registry.ts'

const LIST_BATCH = 500

/** How a list of repositories was had. */
export interface ListingResult {
  /** Why it has gaps: what it lacks may be there. */
  problem?: string | undefined
  /** Why it is not by the registry's own API. */
  note?: string | undefined
}

/** Lists what can be listed, by the batch. */
export async function listRepositories(
  { inventory }: Pick<RemoteRegistry, 'inventory'>,
  namespace: string,
  signal: AbortSignal,
  note: (found: ListedRepository[]) => Promise<void>,
): Promise<ListingResult> {
  const within = namespace === '' ? {} : { namespace }
  const result: ListingResult = {}
  for await (const page of inventory.repositories({ ...within, signal })) {
    gather(result, page)
    const found = [...new Map(page.items.map((item) => [item.name, item])).values()].filter(
      ({ name }) => name !== '' && !name.includes('\0'),
    )
    for (let at = 0; at < found.length; at += LIST_BATCH) {
      await note(found.slice(at, at + LIST_BATCH))
    }
  }
  return result
}

function gather(result: ListingResult, { problem, note }: Listed<unknown>): void {
  result.problem ??= problem?.message
  result.note ??= note
}

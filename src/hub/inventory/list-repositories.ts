import type { Listed, ListedRepository } from '../../client/inventory.ts'
import type { RemoteRegistry } from '../../client/remote-registry.ts'
import type { Says } from '../../lib/reasons.ts'

const LIST_BATCH = 500

/** How a list of repositories was had. */
export interface ListingResult {
  /** Why it has gaps: what it lacks may be there. */
  problem?: string | undefined
  problemSays?: Says | undefined
  /** Why it is not by the registry's own API. */
  note?: string | undefined
  noteSays?: Says | undefined
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

function gather(result: ListingResult, { problem, note, noteSays }: Listed<unknown>): void {
  if (problem && result.problem === undefined) {
    result.problem = problem.message
    result.problemSays = problem.details.reason
  }
  if (note === undefined || result.note !== undefined) return
  result.note = note
  result.noteSays = noteSays
}

import type { Digest } from '../../oci/digest.ts'
import { parseRepositoryName } from '../../oci/reference.ts'
import type { LocalRegistry } from '../../registry/registry.ts'

const PAGE = 100
/** By how much the clocks of two replicas may differ. */
const CLOCKS_MS = 60_000

/** Whether a tag of ours stood for one of these digests at some time since, whatever it does now. */
export type TagStoodFor = (
  repository: string,
  tag: string,
  digests: readonly Digest[],
  since: number,
) => Promise<boolean>

export function createTagStoodFor({
  repositories,
  tags,
}: Pick<LocalRegistry, 'repositories' | 'tags'>): TagStoodFor {
  return async (repository, tag, digests, since) => {
    const name = parseRepositoryName(repository)
    const row = name && (await repositories.find(name))
    if (!row) return false
    const isOne = (digest: string | null) => digests.some((one) => one === digest)
    for (let before: number | undefined; ; ) {
      const page = { limit: PAGE, ...(before === undefined ? {} : { before }) }
      const moves = await tags.history(row.id, tag, page)
      for (const { at, oldDigest, newDigest } of moves) {
        if (at < since - CLOCKS_MS) return false
        if (isOne(oldDigest) || isOne(newDigest)) return true
      }
      if (moves.length < PAGE) return false
      before = moves.at(-1)?.id
    }
  }
}

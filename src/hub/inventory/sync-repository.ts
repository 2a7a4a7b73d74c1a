import { isAppError } from '../../lib/errors.ts'
import { createLimit } from '../../lib/limit.ts'
import { isAccessoryTag } from '../../oci/accessory.ts'
import type { Registry } from '../../oci/registry.ts'
import { createImageReader } from './read-image.ts'
import type { RepositoryStore, TaggedImage } from './repository-store.ts'

/** Tags that are looked up and written together; some registries give all they have in one page. */
const BATCH = 200
/** Requests at once; the client keeps below what the registry puts up with besides. */
const AT_ONCE = 8

export interface RepositoryResult {
  images: number
  manifestsRead: number
  /** The first of what went wrong with single tags; undefined: nothing did. */
  error: unknown
}

/**
 * Reads the tags of one repository, by the page. What has the digest that is known already is not
 * fetched. A tag that cannot be read leaves what is known of it as it was.
 * @throws AppError when the tags cannot be listed, or the registry wants a pause
 */
export async function syncRepository(
  { store, registry }: { store: RepositoryStore; registry: Registry },
  repository: string,
  signal: AbortSignal,
): Promise<RepositoryResult> {
  const reader = createImageReader(registry, repository)
  const limit = createLimit(AT_ONCE)
  let images = 0
  let failed: unknown

  async function syncTags(tags: readonly string[]): Promise<void> {
    const known = await store.known(tags)
    const unchanged: string[] = []
    const changed: TaggedImage[] = []

    async function look(tag: string): Promise<void> {
      const found = await registry.resolveManifest(repository, { kind: 'tag', tag }, { signal })
      if (!found) return
      if (known.get(tag) === found.digest) {
        unchanged.push(tag)
        return
      }
      const facts = await reader.read(found.digest, { signal })
      if (facts) changed.push({ tag, digest: found.digest, facts })
    }

    const looks = tags.map((tag) =>
      limit(async () => {
        try {
          signal.throwIfAborted()
          if (!wantsPause(failed)) await look(tag)
        } catch (error) {
          signal.throwIfAborted()
          if (failed === undefined || wantsPause(error)) failed = error
        }
      }),
    )
    const [stopped] = (await Promise.allSettled(looks)).filter(
      ({ status }) => status === 'rejected',
    )
    images += unchanged.length + changed.length
    await store.write(unchanged, changed)
    if (stopped?.status === 'rejected') throw stopped.reason
    if (wantsPause(failed)) throw failed
  }

  for await (const page of registry.listTags(repository, { signal })) {
    const tags = [...new Set(page)].filter((tag) => !isAccessoryTag(tag))
    for (let at = 0; at < tags.length; at += BATCH) await syncTags(tags.slice(at, at + BATCH))
  }
  if (failed === undefined) await store.settle()
  return { images, manifestsRead: reader.fetched(), error: failed }
}

/** The registry as a whole does not answer now; the other repositories would fare no better. */
export function wantsPause(error: unknown): boolean {
  return (
    isAppError(error, 'rate_limited') ||
    (isAppError(error, 'remote_unreachable') && error.details.problem === 'paused')
  )
}

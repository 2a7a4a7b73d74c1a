import type { ListedTag } from '../../client/inventory.ts'
import type { RemoteRegistry } from '../../client/remote-registry.ts'
import { isAppError } from '../../lib/errors.ts'
import { createLimit } from '../../lib/limit.ts'
import type { Says } from '../../lib/reasons.ts'
import { isAccessoryTag } from '../../oci/accessory.ts'
import { isRunnerAway } from '../runners/identity.ts'
import { createImageReader } from './read-image.ts'
import type { RepositoryStore, SeenTag, TaggedImage } from './repository-store.ts'

/** Tags that are looked up and written together; some registries give all they have in one page. */
const BATCH = 200
/** Requests at once; the client keeps below what the registry puts up with besides. */
const AT_ONCE = 8

export interface RepositoryResult {
  images: number
  manifestsRead: number
  /** The first of what went wrong with single tags or pages; undefined: nothing did. */
  error: unknown
  /** Why it was read by `/v2` and not by the registry's own API. */
  note?: string | undefined
  noteSays?: Says | undefined
}

/**
 * Reads the tags of one repository, by the page. What has the digest that is known already is not
 * fetched, nor what the registry's own API tells. A tag that cannot be read leaves what is known of it as it was.
 * @throws AppError when the tags cannot be listed, or the registry wants a pause
 */
export async function syncRepository(
  { store, registry }: { store: RepositoryStore; registry: RemoteRegistry },
  repository: string,
  signal: AbortSignal,
): Promise<RepositoryResult> {
  const reader = createImageReader(registry, repository)
  const limit = createLimit(AT_ONCE)
  let images = 0
  let failed: unknown
  let note: string | undefined
  let noteSays: Says | undefined

  async function syncTags(listed: readonly ListedTag[]): Promise<void> {
    const known = await store.known(listed.map(({ tag }) => tag))
    const unchanged: SeenTag[] = []
    const changed: TaggedImage[] = []

    async function look({ tag, digest: told, pushedAt, facts: given }: ListedTag): Promise<void> {
      const before = known.get(tag)
      const digest = told ?? (await resolve(tag))
      if (digest === undefined) return
      if (before?.digest === digest) {
        const isNew = pushedAt !== undefined && pushedAt !== before.pushedAt
        unchanged.push({ tag, ...(isNew ? { pushedAt } : {}) })
        return
      }
      const facts = given ?? (await reader.read(digest, { signal }))
      if (facts) changed.push({ tag, digest, facts, pushedAt })
      // What was listed may be another file than the manifest is served from.
      else if (told) await look({ tag, pushedAt })
    }

    const looks = listed.map((each) =>
      limit(async () => {
        try {
          signal.throwIfAborted()
          if (!wantsPause(failed)) await look(each)
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

  async function resolve(tag: string) {
    const found = await registry.resolveManifest(repository, { kind: 'tag', tag }, { signal })
    return found?.digest
  }

  for await (const page of registry.inventory.tags(repository, { signal })) {
    if (wantsPause(page.problem)) throw page.problem
    failed ??= page.problem
    note ??= page.note
    noteSays ??= page.noteSays
    const byName = new Map(page.items.map((item) => [item.tag, item]))
    const tags = [...byName.values()].filter(({ tag }) => !isAccessoryTag(tag))
    for (let at = 0; at < tags.length; at += BATCH) await syncTags(tags.slice(at, at + BATCH))
  }
  if (failed === undefined) await store.settle()
  return { images, manifestsRead: reader.fetched(), error: failed, note, noteSays }
}

/** The registry as a whole does not answer now; the other repositories would fare no better. */
export function wantsPause(error: unknown): boolean {
  return (
    isAppError(error, 'rate_limited') ||
    (isAppError(error, 'remote_unreachable') && error.details.problem === 'paused') ||
    isRunnerAway(error)
  )
}

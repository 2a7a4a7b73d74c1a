import { isAppError } from '../../lib/errors.ts'
import { createLimit } from '../../lib/limit.ts'
import { isAccessoryTag } from '../../oci/accessory.ts'
import type { Registry } from '../../oci/registry.ts'
import type { Db } from '../../store/db/database.ts'
import type { NewRow } from '../../store/db/schema.ts'
import { createImageReader, type ImageFacts } from './read-image.ts'
import { knownTags, type RepositoryOf, settleRepository, writePage } from './repository-rows.ts'

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
  { db, registry }: { db: Db; registry: Registry },
  of: RepositoryOf,
  signal: AbortSignal,
): Promise<RepositoryResult> {
  const { repository } = of
  const reader = createImageReader(registry, repository)
  const limit = createLimit(AT_ONCE)
  let images = 0
  let failed: unknown

  async function syncTags(tags: readonly string[]): Promise<void> {
    const known = await knownTags(db.query, of, tags)
    const unchanged: number[] = []
    const changed: NewRow<'registry_image'>[] = []

    async function look(tag: string): Promise<void> {
      const found = await registry.resolveManifest(repository, { kind: 'tag', tag }, { signal })
      if (!found) return
      const row = known.get(tag)
      if (row?.digest === found.digest) {
        unchanged.push(row.id)
        return
      }
      const facts = await reader.read(found.digest, { signal })
      if (facts) changed.push(rowOf(of, tag, found.digest, facts))
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
    await writePage(db, of, unchanged, changed)
    if (stopped?.status === 'rejected') throw stopped.reason
    if (wantsPause(failed)) throw failed
  }

  for await (const page of registry.listTags(repository, { signal })) {
    const tags = [...new Set(page)].filter((tag) => !isAccessoryTag(tag))
    for (let at = 0; at < tags.length; at += BATCH) await syncTags(tags.slice(at, at + BATCH))
  }
  if (failed === undefined) await settleRepository(db, of)
  return { images, manifestsRead: reader.fetched(), error: failed }
}

/** The registry as a whole does not answer now; the other repositories would fare no better. */
export function wantsPause(error: unknown): boolean {
  return (
    isAppError(error, 'rate_limited') ||
    (isAppError(error, 'remote_unreachable') && error.details.problem === 'paused')
  )
}

function rowOf(
  { registry, repository, sync, now }: RepositoryOf,
  tag: string,
  digest: string,
  { mediaType, size, platforms, children, createdAt }: ImageFacts,
): NewRow<'registry_image'> {
  const at = repository.indexOf('/')
  return {
    registry,
    repository,
    namespace: at < 0 ? '' : repository.slice(0, at),
    image_name: repository.slice(at + 1),
    tag,
    digest,
    media_type: mediaType,
    size: Math.min(size, Number.MAX_SAFE_INTEGER),
    is_multiarch: children.length > 1 ? 1 : 0,
    platforms: JSON.stringify(platforms),
    children: JSON.stringify(children),
    updated_at: createdAt ?? now,
    first_seen_at: now,
    synced_at: now,
    sync,
    gone_at: null,
  }
}

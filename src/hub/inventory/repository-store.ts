import type { Digest } from '../../oci/digest.ts'
import type { Db } from '../../store/db/database.ts'
import type { NewRow } from '../../store/db/schema.ts'
import type { ImageFacts } from './read-image.ts'
import { knownTags, type RepositoryOf, settleRepository, writePage } from './repository-rows.ts'

/** A tag and what it stands for. */
export interface TaggedImage {
  tag: string
  digest: Digest
  facts: ImageFacts
  /** Epoch milliseconds; undefined: the registry does not tell. */
  pushedAt?: number | undefined
}

/** A tag that still stands for what is known of it. */
export interface SeenTag {
  tag: string
  /** Set when it was pushed again meanwhile. */
  pushedAt?: number | undefined
}

export interface KnownTag {
  digest: string
  pushedAt: number | null
}

/** Where the images of one repository are written while it is read: our database, or the hub's. */
export interface RepositoryStore {
  /** Those of these tags that are known. */
  known(tags: readonly string[]): Promise<Map<string, KnownTag>>
  /** A page: those that were seen with the digest that is known, and the others. */
  write(unchanged: readonly SeenTag[], changed: readonly TaggedImage[]): Promise<void>
  /** Every tag was seen: what was not is gone. */
  settle(): Promise<void>
}

export function createRepositoryStore(db: Db, of: RepositoryOf): RepositoryStore {
  return {
    known: (tags) => knownTags(db.query, of, tags),
    write: (unchanged, changed) =>
      writePage(
        db,
        of,
        unchanged,
        changed.map((image) => rowOf(of, image)),
      ),
    settle: () => settleRepository(db, of),
  }
}

function rowOf(
  { registry, repository, sync, now }: RepositoryOf,
  { tag, digest, facts, pushedAt }: TaggedImage,
): NewRow<'registry_image'> {
  const { mediaType, size, platforms, children, createdAt } = facts
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
    pushed_at: pushedAt ?? null,
    updated_at: pushedAt ?? createdAt ?? now,
    first_seen_at: now,
    synced_at: now,
    sync,
    gone_at: null,
  }
}

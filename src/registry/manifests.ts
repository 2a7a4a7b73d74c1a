import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { algorithmOf, type Digest, type DigestAlgorithm, toDigest } from '../oci/digest.ts'
import { ManifestError, type ParsedManifest, parseManifest } from '../oci/manifest.ts'
import type { Reference, RepositoryName } from '../oci/reference.ts'
import type { Also, Db } from '../store/db/database.ts'
import type { Describe } from './describe.ts'
import { prepareManifestReads } from './manifest-reads.ts'
import { createRemoval, manifestUnknown, type RemoveOptions } from './manifest-removal.ts'
import { createManifestStore } from './manifest-store.ts'
import type { ManifestWatch } from './manifest-watch.ts'
import type { Repositories } from './repositories.ts'
import { type Pusher, repositoryUnknown } from './repository-openings.ts'
import { type Tags, tagUnknown } from './tags.ts'

export interface StoredManifest {
  id: number
  digest: Digest
  mediaType: string
  size: number
  bytes: Uint8Array
  /** Of the tag that it was asked for by. */
  tagId?: number
}

export interface ManifestPush {
  name: RepositoryName
  /** Given by the path. A tag stands for sha256. */
  reference: Reference
  /** Further tags, of `?tag=`. */
  tags: readonly string[]
  contentType: string
  bytes: Uint8Array
  pusher: Pusher
  /** False: a tag that is there with another manifest stays, and that is a conflict. */
  moveTags?: boolean
}

export interface PushedManifest {
  digest: Digest
  /** Of the manifest that this one refers to. */
  subject: string | undefined
  /** What was accepted but may not be what was meant. */
  warnings: string[]
}

export interface Manifests {
  /** @throws AppError repository_unknown, manifest_unknown */
  get(name: RepositoryName, reference: Reference): Promise<StoredManifest>
  /** As `get`, without the bytes. */
  head(name: RepositoryName, reference: Reference): Promise<Omit<StoredManifest, 'bytes'>>
  /**
   * Stores a manifest, its edges and its tags in one transaction. The same one again is no error.
   * @throws AppError manifest_invalid, digest_mismatch, manifest_blob_unknown, immutable,
   *   quota_exceeded, project_unknown, conflict
   */
  put(push: ManifestPush): Promise<PushedManifest>
  /**
   * Into the trash, with every tag that points at it.
   * @throws AppError manifest_unknown, immutable, in_use
   */
  remove(
    name: RepositoryName,
    digest: Digest,
    actor: number | null,
    options?: RemoveOptions,
    also?: Also,
  ): Promise<void>
}

export function createManifests(deps: {
  db: Db
  clock: Clock
  repositories: Repositories
  tags: Tags
  /** Images whose blobs were not pushed are taken too. */
  sparse: boolean
  describe: Describe
  watch: ManifestWatch
  /** Told of every push that set a tag, by the id of the project. */
  notePush?: (project: number) => void
}): Manifests {
  const { db, clock, repositories, tags, describe, watch, notePush } = deps

  const statements = prepareManifestReads(db)
  const store = createManifestStore(deps)

  async function unknown(name: RepositoryName, reference: Reference): Promise<AppError> {
    if (!(await repositories.find(name))) return repositoryUnknown(name)
    if (reference.kind === 'tag') return tagUnknown(name, reference.tag)
    return manifestUnknown(name, reference.digest)
  }

  return {
    async get(name, reference) {
      const asked = { project: name.project, path: name.path, ...reference }
      const [row] =
        asked.kind === 'tag'
          ? await statements.getByTag(asked)
          : await statements.getByDigest(asked)
      if (!row) throw await unknown(name, reference)
      return { ...row, digest: row.digest as Digest }
    },

    async head(name, reference) {
      const asked = { project: name.project, path: name.path, ...reference }
      const [row] =
        asked.kind === 'tag'
          ? await statements.headByTag(asked)
          : await statements.headByDigest(asked)
      if (!row) throw await unknown(name, reference)
      return { ...row, digest: row.digest as Digest }
    },

    async put({ name, reference, tags: moreTags, contentType, bytes, pusher, moveTags = true }) {
      const parsed = parse(bytes, contentType)
      const algorithm = reference.kind === 'digest' ? algorithmOf(reference.digest) : 'sha256'
      const digest = digestOf(bytes, algorithm)
      demandReference(reference, digest, bytes.length)
      const sha256 = Bun.CryptoHasher.hash('sha256', bytes, 'hex')
      const tagNames = [
        ...new Set([...(reference.kind === 'tag' ? [reference.tag] : []), ...moreTags]),
      ].sort()

      const description = await describe(name, parsed, bytes.length)
      const writeTags = await watch({ name, parsed, tags: tagNames })
      const stored = await store({
        name,
        pusher,
        digest,
        content: { sha256, size: bytes.length, bytes: { inline: bytes } },
        parsed,
        description,
        tags: tagNames,
        moveTags,
        writeTags,
      })
      if (tagNames.length > 0) notePush?.(stored.project)
      const warnings = stored.missing > 0 ? [sparseWarning(parsed.kind, stored.missing)] : []
      return { digest, subject: parsed.subject?.digest, warnings }
    },

    remove: createRemoval({ db, clock, repositories, tags }),
  }
}

function parse(bytes: Uint8Array, contentType: string): ParsedManifest {
  try {
    return parseManifest(bytes, contentType)
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error
    throw new AppError('manifest_invalid', `the manifest is invalid: ${error.message}`, {}, error)
  }
}

function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm): Digest {
  return toDigest(algorithm, Bun.CryptoHasher.hash(algorithm, bytes, 'hex'))
}

function demandReference(reference: Reference, digest: Digest, size: number): void {
  if (reference.kind === 'tag' || reference.digest === digest) return
  throw new AppError(
    'digest_mismatch',
    `the ${size} bytes received have the digest ${digest}, not ${reference.digest}`,
  )
}

function sparseWarning(kind: ParsedManifest['kind'], missing: number): string {
  const child = kind === 'index' ? 'manifest of this index' : 'blob of this image'
  const children = missing === 1 ? `1 ${child} is` : `${missing} ${child.replace(' ', 's ')} are`
  return `${children} not in the repository; pulling will fail until it is complete`
}

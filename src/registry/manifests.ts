import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { createLimit } from '../lib/limit.ts'
import { algorithmOf, type Digest, type DigestAlgorithm, toDigest } from '../oci/digest.ts'
import { ManifestError, type ParsedManifest, parseManifest } from '../oci/manifest.ts'
import type { Reference, RepositoryName } from '../oci/reference.ts'
import type { Also, Db, Tx } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import { chunked } from './chunked.ts'
import { ensureContent, keepBody, linkContents } from './content.ts'
import type { Describe, Description } from './describe.ts'
import { partsOf, relist } from './listing.ts'
import { lockChildren } from './manifest-children.ts'
import { columnsOf, edgesOf, insertEdges, insertManifest } from './manifest-columns.ts'
import { prepareManifestReads } from './manifest-reads.ts'
import { createRemoval, manifestUnknown, type RemoveOptions } from './manifest-removal.ts'
import type { ManifestWatch } from './manifest-watch.ts'
import type { OpenRepository, Pusher, Repositories } from './repositories.ts'
import { repositoryUnknown } from './repositories.ts'
import { type Tags, tagUnknown } from './tags.ts'
import { charge, noChange } from './usage.ts'

/** Thousands of edges keep the database busy: such manifests are stored one after another. */
const LARGE_MANIFEST = 256 * 1024

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

interface NewManifest {
  digest: Digest
  content: number
  size: number
  parsed: ParsedManifest
  description: Description
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
  const { db, clock, repositories, tags, sparse, describe, watch, notePush } = deps

  const statements = prepareManifestReads(db)
  const large = createLimit(1)

  async function unknown(name: RepositoryName, reference: Reference): Promise<AppError> {
    if (!(await repositories.find(name))) return repositoryUnknown(name)
    if (reference.kind === 'tag') return tagUnknown(name, reference.tag)
    return manifestUnknown(name, reference.digest)
  }

  async function insert(
    tx: Tx,
    repository: OpenRepository,
    row: NewManifest,
    actor: number | null,
  ): Promise<number | undefined> {
    const { digest, content, size, parsed, description } = row
    const now = clock()
    const [inserted] = await insertManifest(tx, {
      repository: repository.id,
      digest,
      content,
      ...columnsOf(parsed),
      size,
      actor,
      now,
      configMediaType: description.configMediaType,
      imageSize: description.imageSize,
      details: description.details && JSON.stringify(description.details),
    })
    if (!inserted) return undefined
    const edges = edgesOf(repository.id, inserted.id, parsed)
    for (const rows of chunked(edges)) await insertEdges(tx, rows)
    return inserted.id
  }

  async function insertOrLock(
    tx: Tx,
    repository: OpenRepository,
    row: NewManifest,
    actor: number | null,
  ): Promise<{ id: number; isNew: boolean }> {
    // Again when the one that is there is deleted between the two statements.
    for (;;) {
      const id = await insert(tx, repository, row, actor)
      if (id !== undefined) return { id, isNew: true }
      const live = await liveManifest(db, tx, repository.id, row.digest)
      if (live) return { id: live.id, isNew: false }
    }
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
      // Sorted, since this is the order in which they are locked.
      const tagNames = [
        ...new Set([...(reference.kind === 'tag' ? [reference.tag] : []), ...moreTags]),
      ].sort()

      const description = await describe(name, parsed, bytes.length)
      const writeTags = await watch({ name, parsed, tags: tagNames })

      let project: number | undefined
      const store = () =>
        db.transaction(async (tx) => {
          const given = { sha256, size: bytes.length, bytes: { inline: bytes } }
          const content = await ensureContent(db, tx, given, clock())
          if (!content.isNew) await keepBody(tx, content.id, bytes)
          const repository = await repositories.open(tx, name, pusher)
          const missing = await lockChildren(db, tx, repository, parsed, sparse)
          await tags.lock(tx, repository.id, tagNames)
          const change = noChange()
          const row = { digest, content: content.id, size: bytes.length, parsed, description }
          const { id, isNew } = await insertOrLock(tx, repository, row, pusher.account)
          const touched: number[] = []
          const untagged: number[] = []
          if (isNew) {
            change.manifests += 1
            await linkContents(tx, repository.project.id, [content], change)
            if (parsed.kind === 'index') touched.push(...(await partsOf(tx, repository.id, id)))
          }
          for (const tag of tagNames) {
            const manifest = { id, digest }
            const write = { repository, tag, manifest, actor: pusher.account }
            untagged.push(...(await tags.set(tx, write, change)))
          }
          const moved = untagged.length > 0
          if (moved && !moveTags) throw tagTaken(name, tagNames)
          await writeTags(tx, { repository, manifest: { id, digest }, tags: tagNames, moved })
          await relist(
            db,
            tx,
            [id, ...touched, ...untagged],
            clock(),
            change,
            isNew ? id : undefined,
          )
          await charge(tx, repository.project, repository.id, change)
          project = repository.project.id
          return missing
        })
      const missing = await (bytes.length > LARGE_MANIFEST ? large(store) : store())
      if (project !== undefined && tagNames.length > 0) notePush?.(project)
      const warnings = missing > 0 ? [sparseWarning(parsed.kind, missing)] : []
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

function liveManifest(
  db: Db,
  tx: Tx,
  repository: number,
  digest: Digest,
): Promise<{ id: number } | undefined> {
  return db.engine
    .lockRows(
      tx
        .selectFrom('manifest')
        .select('id')
        .where('repository', '=', repository)
        .where('digest', '=', digest)
        .where('state', '=', LIVE),
      'keyShare',
    )
    .executeTakeFirst()
}

function tagTaken(name: RepositoryName, tags: readonly string[]): AppError {
  return new AppError(
    'conflict',
    `${tags.map((tag) => `"${tag}"`).join(' or ')} of ${name.full} is there already`,
  )
}

function sparseWarning(kind: ParsedManifest['kind'], missing: number): string {
  const child = kind === 'index' ? 'manifest of this index' : 'blob of this image'
  const children = missing === 1 ? `1 ${child} is` : `${missing} ${child.replace(' ', 's ')} are`
  return `${children} not in the repository; pulling will fail until it is complete`
}

import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { gatherBy } from '../lib/gather.ts'
import { createLimit } from '../lib/limit.ts'
import type { Digest } from '../oci/digest.ts'
import type { ParsedManifest } from '../oci/manifest.ts'
import type { RepositoryName } from '../oci/reference.ts'
import type { Db, Tx } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import { isUndone } from '../store/db/undone.ts'
import { chunked } from './chunked.ts'
import { ensureContents, keepBodies, linkContents } from './content.ts'
import type { Description } from './describe.ts'
import { partsOf, relist } from './listing.ts'
import { lockChildren } from './manifest-children.ts'
import { columnsOf, edgesOf, insertEdges, insertManifests } from './manifest-columns.ts'
import type { WriteTags } from './manifest-watch.ts'
import type { Repositories } from './repositories.ts'
import type { OpenRepository, Pusher } from './repository-openings.ts'
import type { Tags } from './tags.ts'
import { charge, noChange } from './usage.ts'

/* Manifests, their edges and their tags, in one transaction; those of one repository share it. */

/** Thousands of edges keep the database busy: such manifests are stored one after another. */
const LARGE_MANIFEST = 256 * 1024
/** Up to this size, images that come at the same time share a transaction. */
const SMALL_MANIFEST = 4096
const TOGETHER = 16

/** A manifest with all that was read for it before the transaction. */
export interface NewManifest {
  name: RepositoryName
  pusher: Pusher
  digest: Digest
  content: { sha256: string; size: number; bytes: { inline: Uint8Array } }
  parsed: ParsedManifest
  description: Description
  /** Sorted, without doubles. */
  tags: readonly string[]
  /** False: a tag that is there with another manifest stays, and that is a conflict. */
  moveTags: boolean
  writeTags: WriteTags
}

export interface StoreResult {
  project: number
  /** How many of its children are not there. */
  missing: number
}

/** One that a repository has now. */
type Row = NewManifest & { id: number; contentId: number; isNew: boolean }

export function createManifestStore(deps: {
  db: Db
  clock: Clock
  repositories: Repositories
  tags: Tags
  sparse: boolean
}): (manifest: NewManifest) => Promise<StoreResult> {
  const { db, clock, repositories, tags, sparse } = deps
  const large = createLimit(1)

  /** All of one repository and pusher, with different bytes and tags. */
  function storeAll(manifests: readonly NewManifest[]): Promise<StoreResult[]> {
    const [first] = manifests
    if (!first) return Promise.resolve([])
    return db.transaction(async (tx) => {
      const contents = await ensureContents(
        db,
        tx,
        manifests.map(({ content }) => content),
        clock(),
      )
      const rows = manifests.flatMap((manifest, i) => {
        const content = contents[i]
        return content ? [{ ...manifest, contentId: content.id, isStored: !content.isNew }] : []
      })
      // Of manifests whose bytes came in as a blob before.
      await keepBodies(
        tx,
        rows
          .filter(({ isStored }) => isStored)
          .map(({ contentId, content }) => ({ content: contentId, bytes: content.bytes.inline })),
      )
      const repository = await repositories.open(tx, first.name, first.pusher)
      const parsed = manifests.map((manifest) => manifest.parsed)
      const missing = await lockChildren(db, tx, repository, parsed, sparse)
      const names = manifests.flatMap((manifest) => manifest.tags)
      await tags.lock(tx, repository.id, names.sort())
      await writeRows(tx, repository, await insertOrLock(tx, repository, rows))
      return missing.map((count) => ({ project: repository.project.id, missing: count }))
    })
  }

  /** What belongs to the rows, and what it costs. */
  async function writeRows(tx: Tx, repository: OpenRepository, rows: Row[]): Promise<void> {
    const change = noChange()
    const fresh = rows.filter(({ isNew }) => isNew)
    change.manifests += fresh.length
    const contents = fresh.map(({ contentId, content }) => ({ id: contentId, size: content.size }))
    await linkContents(tx, repository.project.id, contents, change)
    const touched: number[] = []
    for (const { id, parsed } of fresh) {
      if (parsed.kind === 'index') touched.push(...(await partsOf(tx, repository.id, id)))
    }
    const writes = rows.flatMap((manifest) => manifest.tags.map((tag) => ({ tag, manifest })))
    const actor = rows[0]?.pusher.account ?? null
    const losers = await tags.setAll(tx, repository, writes, actor, change)
    for (const manifest of rows) {
      const moved = manifest.tags.some((tag) => losers.has(tag))
      if (moved && !manifest.moveTags) throw tagTaken(manifest.name, manifest.tags)
      await manifest.writeTags(tx, { repository, manifest, tags: manifest.tags, moved })
    }
    const ids = rows.map(({ id }) => id)
    const freshIds = fresh.map(({ id }) => id)
    await relist(db, tx, [...ids, ...touched, ...losers.values()], clock(), change, freshIds)
    await charge(tx, repository.project, repository.id, change)
  }

  async function insertOrLock(
    tx: Tx,
    repository: OpenRepository,
    manifests: readonly Omit<Row, 'id' | 'isNew'>[],
  ): Promise<Row[]> {
    const now = clock()
    // In one order, so that two with the same ones never wait for each other in a circle.
    const sorted = manifests.toSorted((a, b) => (a.digest < b.digest ? -1 : 1))
    const inserted = await insertManifests(
      tx,
      sorted.map(({ digest, contentId, content, parsed, description, pusher }) => ({
        repository: repository.id,
        digest,
        content: contentId,
        ...columnsOf(parsed),
        size: content.size,
        actor: pusher.account,
        now,
        configMediaType: description.configMediaType,
        imageSize: description.imageSize,
        details: description.details && JSON.stringify(description.details),
      })),
    )
    const ids = new Map(inserted.map(({ id, digest }) => [digest, id]))
    const rows: Row[] = []
    for (const manifest of sorted) {
      const id = ids.get(manifest.digest)
      if (id !== undefined) rows.push({ ...manifest, id, isNew: true })
    }
    const edges = rows.flatMap(({ id, parsed }) => edgesOf(repository.id, id, parsed))
    for (const some of chunked(edges)) await insertEdges(tx, some)
    for (const manifest of sorted) {
      if (ids.has(manifest.digest)) continue
      const live = await lockLive(tx, repository.id, manifest.digest)
      // Again when the one that was there is deleted between the two statements.
      if (!live) rows.push(...(await insertOrLock(tx, repository, [manifest])))
      else rows.push({ ...manifest, id: live.id, isNew: false })
    }
    return rows
  }

  function lockLive(tx: Tx, repository: number, digest: Digest) {
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

  async function storeOne(manifest: NewManifest): Promise<StoreResult> {
    const [stored] = await storeAll([manifest])
    if (!stored) throw new AppError('internal', 'a manifest was not stored')
    return stored
  }

  const together = gatherBy(
    ({ name, pusher }: NewManifest) => JSON.stringify([name.full, pusher]),
    storeAll,
    {
      lanes: db.engine.lanes,
      limit: TOGETHER,
      apart: ({ content, tags: names }) => [content.sha256, ...names],
      isUndone,
    },
  )

  return (manifest) => {
    const { content, parsed, moveTags } = manifest
    if (content.size > LARGE_MANIFEST) return large(() => storeOne(manifest))
    const isSimple = content.size <= SMALL_MANIFEST && parsed.kind === 'image' && moveTags
    return isSimple ? together(manifest) : storeOne(manifest)
  }
}

function tagTaken(name: RepositoryName, tags: readonly string[]): AppError {
  return new AppError(
    'conflict',
    `${tags.map((tag) => `"${tag}"`).join(' or ')} of ${name.full} is there already`,
  )
}

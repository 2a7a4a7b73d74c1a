import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { newUuid } from '../lib/ids.ts'
import { algorithmOf, type Digest, type DigestAlgorithm, hexOf } from '../oci/digest.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import type { Db } from '../store/db/database.ts'
import type { Blobs } from './blobs.ts'
import type { Pusher } from './repositories.ts'
import { createHashCache, createUploadHash } from './upload-hash.ts'
import {
  type ClaimedUpload,
  createUploadSessions,
  lostUpload,
  type Upload,
  type UploadOwner,
} from './upload-session.ts'
import { openUploadWriter, readUpload, type UploadWriter } from './upload-writer.ts'

/** How often a writer says that bytes arrive; well below the lease. */
const RENEW_MS = 5_000

export type ByteStream = AsyncIterable<Uint8Array>

export interface FinishRequest {
  digest: Digest
  /** The last chunk, or everything. */
  body?: ByteStream
  /** The first byte that the chunk claims to be. */
  start?: number | undefined
  /** Asked again when all bytes are here, since an upload may outlive a permission. */
  authorizeCommit(): Promise<Pusher>
}

export interface Uploads {
  /** Opens a session; nothing else comes into being. */
  start(owner: UploadOwner, algorithm?: DigestAlgorithm): Promise<{ id: string }>
  /** @throws AppError upload_unknown */
  status(id: string, owner: UploadOwner): Promise<{ offset: number }>
  /**
   * Adds a chunk. When the body ends early, what arrived is kept and the session can go on.
   * @throws AppError upload_unknown, upload_range_invalid, storage_full
   */
  append(
    id: string,
    owner: UploadOwner,
    body: ByteStream | undefined,
    start?: number,
  ): Promise<{ offset: number }>
  /**
   * Commits the session as a blob of the repository.
   * @throws AppError digest_mismatch (the session is gone then), upload_range_invalid,
   *   quota_exceeded, storage_full
   */
  finish(id: string, owner: UploadOwner, request: FinishRequest): Promise<void>
  /** A whole blob in one request. */
  single(owner: UploadOwner, request: FinishRequest & { body: ByteStream }): Promise<void>
  cancel(id: string, owner: UploadOwner): Promise<void>
  /** Removes sessions without activity since `before`, and leftovers. Returns how many. */
  sweep(before: number, signal?: AbortSignal): Promise<number>
}

export function createUploads(deps: {
  db: Db
  store: BlobStore
  blobs: Blobs
  clock: Clock
  /** Names this process. */
  writer: string
}): Uploads {
  const { db, store, blobs, clock, writer: writerName } = deps
  const sessions = createUploadSessions({ db, clock, writer: writerName })
  const hashes = createHashCache()
  const writerDeps = { store, sessions, hashes }

  /** Moves the body into the writer, renewing the claim while bytes arrive. */
  async function receive(row: Upload, writer: UploadWriter, body: ByteStream): Promise<void> {
    let renewAt = clock() + RENEW_MS
    for await (const chunk of body) {
      await writer.write(chunk)
      if (clock() < renewAt) continue
      if (!(await sessions.renew(row))) throw lostUpload()
      renewAt = clock() + RENEW_MS
    }
  }

  async function append(claimed: ClaimedUpload, body: ByteStream): Promise<number> {
    const { row } = claimed
    const writer = await openUploadWriter(writerDeps, claimed)
    let failure: unknown
    try {
      await receive(row, writer, body)
    } catch (error) {
      failure = error
    }
    try {
      const safe = await writer.checkpoint()
      await sessions.release(row, safe)
      writer.keepHash()
    } catch (error) {
      // The disk is full, say: the session stays where it was before this chunk.
      await sessions.abandon(row)
      throw failure ?? error
    } finally {
      await writer.close()
    }
    if (failure) throw failure
    return writer.offset
  }

  async function finish(claimed: ClaimedUpload, request: FinishRequest): Promise<void> {
    const { row } = claimed
    const writer = await openUploadWriter(writerDeps, claimed)
    try {
      if (request.body) await receive(row, writer, request.body)
      await demandDigest(row, writer, request.digest)
      const sha256 = await writer.digest('sha256')
      if (!sha256) throw new AppError('internal', 'an upload without a sha256')
      const size = writer.offset
      const bytes = await writer.complete()
      const pusher = await request.authorizeCommit()
      const taken = await blobs.commit({
        upload: row,
        digest: request.digest,
        sha256: hexOf(sha256),
        size,
        bytes,
        pusher,
      })
      // The same bytes were there before: ours are a leftover now.
      if (!taken) await removeLeftover(row)
    } finally {
      await writer.close()
    }
  }

  async function demandDigest(row: Upload, writer: UploadWriter, digest: Digest): Promise<void> {
    const algorithm = algorithmOf(digest)
    let actual = await writer.digest(algorithm)
    if (!actual) {
      // sha512 that nobody announced: the bytes are read once more.
      const part = await writer.checkpoint()
      const hash = createUploadHash(algorithm)
      for await (const chunk of readUpload(store, part)) hash.update(chunk)
      actual = hash.digest(algorithm)
    }
    if (actual === digest) return
    await sessions.discard(row)
    await removeLeftover(row)
    throw new AppError(
      'digest_mismatch',
      `the ${writer.offset} bytes received have the digest ${actual}, not ${digest}; upload the blob again`,
    )
  }

  async function removeLeftover(row: Upload): Promise<void> {
    await store.remove([row.storage_key])
    await sessions.forget(row.id)
  }

  async function claimAt(id: string, owner: UploadOwner, start?: number): Promise<ClaimedUpload> {
    const claimed = await sessions.claim(id, owner)
    const { offset } = claimed.row
    if (start === undefined || start === offset) return claimed
    await sessions.abandon(claimed.row)
    throw new AppError(
      'upload_range_invalid',
      `this chunk starts at byte ${start}, but the upload has ${offset} bytes; go on from there`,
      { offset },
    )
  }

  return {
    async start(owner, algorithm = 'sha256') {
      const id = newUuid()
      await sessions.create({ id, owner, algorithm, storageKey: store.newKey(), claimed: false })
      return { id }
    },

    async status(id, owner) {
      const { offset } = await sessions.get(id, owner)
      return { offset }
    },

    async append(id, owner, body, start) {
      const claimed = await claimAt(id, owner, start)
      if (!body) {
        await sessions.abandon(claimed.row)
        return { offset: claimed.row.offset }
      }
      return { offset: await append(claimed, body) }
    },

    async finish(id, owner, request) {
      const claimed = await claimAt(id, owner, request.start)
      await finishOrRelease(claimed, request)
    },

    async single(owner, request) {
      const row = await sessions.create({
        id: newUuid(),
        owner,
        algorithm: algorithmOf(request.digest),
        storageKey: store.newKey(),
        claimed: true,
      })
      try {
        await finish({ row, takenOver: false }, request)
      } catch (error) {
        // Nobody knows this session: there is nothing to go on with.
        await sessions.discard(row)
        await removeLeftover(row)
        throw error
      }
    },

    async cancel(id, owner) {
      const row = await sessions.get(id, owner)
      await sessions.discard(row)
      await removeLeftover(row)
    },

    async sweep(before, signal) {
      let swept = 0
      while (!signal?.aborted) {
        const rows = await db.query
          .selectFrom('upload')
          .selectAll()
          .where('updated_at', '<', before)
          .where('writer_until', '<', clock())
          .orderBy('updated_at')
          .limit(100)
          .execute()
        for (const row of rows) {
          await sessions.discard(row)
          await removeLeftover(row)
        }
        swept += rows.length
        if (rows.length < 100) break
      }
      return swept
    },
  }

  /** A failed commit leaves the session as it was before, unless the failure ended it. */
  async function finishOrRelease(claimed: ClaimedUpload, request: FinishRequest): Promise<void> {
    try {
      await finish(claimed, request)
    } catch (error) {
      await sessions.abandon(claimed.row)
      throw error
    }
  }
}

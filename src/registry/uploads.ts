import type { Clock } from '../lib/clock.ts'
import { AppError, type ErrorCode, isAppError } from '../lib/errors.ts'
import { newUuid } from '../lib/ids.ts'
import { algorithmOf, type Digest, type DigestAlgorithm } from '../oci/digest.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import type { Db } from '../store/db/database.ts'
import type { Blobs } from './blobs.ts'
import { createCompleteUpload } from './complete-upload.ts'
import { createOpenUploads } from './open-uploads.ts'
import { unknownKeys } from './orphans.ts'
import type { Projects } from './projects.ts'
import { type ByteStream, createReceiveBody } from './receive-body.ts'
import type { Pusher } from './repository-openings.ts'
import { createRoom } from './room.ts'
import type { ClaimedUpload } from './upload-claims.ts'
import { createHashCache } from './upload-hash.ts'
import { heldDuring } from './upload-hold.ts'
import type { Upload, UploadOwner } from './upload-owner.ts'
import { createUploadSessions } from './upload-session.ts'
import { createUploadSweep } from './upload-sweep.ts'
import { openUploadWriter, type UploadWriter } from './upload-writer.ts'

/** After these nothing was committed, so the bytes are still ours to remove. */
const ROLLED_BACK: readonly ErrorCode[] = [
  'quota_exceeded',
  'project_unknown',
  'name_invalid',
  'upload_invalid',
  'storage_full',
]

/** The commit failed in a way that leaves open whether it happened: the bytes must stay. */
class UncertainCommit extends Error {}

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
  /** @throws AppError storage_full when so many bytes more would fill the disk */
  demandRoom(bytes: number): Promise<void>
  /**
   * Opens a session; nothing else comes into being.
   * @throws AppError rate_limited when the account has too many
   */
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
  projects: Projects
  clock: Clock
  /** Names this process. */
  writer: string
  /** Sessions that an account may have open. */
  openPerAccount: number
}): Uploads {
  const { db, store, blobs, projects, clock, writer: writerName } = deps
  const sessions = createUploadSessions({ db, clock, writer: writerName })
  const hashes = createHashCache()
  const writerDeps = { store, sessions, hashes }
  const room = createRoom({ store, db, clock })
  const receive = createReceiveBody({ sessions, projects, room, clock })
  const complete = createCompleteUpload({ store, sessions, removeLeftover })
  const sweep = createUploadSweep({ db, clock, sessions, removeLeftover })
  const openUploads = createOpenUploads({ db, clock, limit: deps.openPerAccount })

  function held<T>(row: Upload, work: () => Promise<T>): Promise<T> {
    return heldDuring(() => sessions.renew(row), work)
  }

  async function openWriter(claimed: ClaimedUpload, isChunked = false): Promise<UploadWriter> {
    try {
      return await held(claimed.row, () => openUploadWriter(writerDeps, claimed, { isChunked }))
    } catch (error) {
      await sessions.abandon(claimed.row, claimed.takenOver)
      throw error
    }
  }

  async function append(
    claimed: ClaimedUpload,
    body: ByteStream,
    isChunked: boolean,
  ): Promise<number> {
    const { row } = claimed
    const writer = await openWriter(claimed, isChunked)
    let failure: unknown
    try {
      await receive(row, writer, body, { isKept: true })
    } catch (error) {
      failure = error
    }
    // What there is no room for is not kept; what a client left behind when it went away is.
    if (isAppError(failure, 'quota_exceeded', 'storage_full')) {
      await writer.close()
      await undo(row)
      throw failure
    }
    try {
      await sessions.release(row, await held(row, () => writer.checkpoint()))
      writer.keepHash()
    } catch (error) {
      await writer.close()
      await undo(row)
      throw failure ?? error
    }
    await writer.close()
    if (failure) throw failure
    return writer.offset
  }

  /**
   * The disk is full, say: the session stays where it was, and what came since makes room. Bytes
   * of a session that is not ours any more are somebody else's, unless nothing names them.
   */
  async function undo(row: Upload): Promise<void> {
    if (!(await sessions.holds(row))) {
      await store.remove(await unknownKeys(db, [row.storage_key]))
      return
    }
    try {
      if (row.offset === 0 || row.buffer !== null) await store.remove([row.storage_key])
      else if (!store.isRemote) {
        const position = { offset: row.offset, state: row.storage_state }
        await (await store.append(row.storage_key, position)).close()
      }
    } catch {
      // What cannot be given back now is dropped by the next writer, or by the sweeper.
    }
    await sessions.abandon(row)
  }

  async function finish(row: Upload, writer: UploadWriter, request: FinishRequest): Promise<void> {
    try {
      if (request.body) await receive(row, writer, request.body)
      const { digest } = request
      const content = await held(row, () => complete(row, writer, digest))
      const pusher = await request.authorizeCommit()
      const commit = { ...content, upload: row, digest, pusher }
      const taken = await blobs.commit(commit).catch((error: unknown) => {
        throw isAppError(error, ...ROLLED_BACK)
          ? error
          : new UncertainCommit('commit', { cause: error })
      })
      // The same bytes were there before: ours are a leftover now.
      if (!taken) await removeLeftover(row)
    } finally {
      await writer.close()
    }
  }

  async function removeLeftover(row: Upload): Promise<void> {
    await store.remove([row.storage_key])
    await sessions.forget(row.id)
  }

  async function claimAt(id: string, owner: UploadOwner, start?: number): Promise<ClaimedUpload> {
    const claimed = await sessions.claim(id, owner)
    const { offset } = claimed.row
    if (start === undefined || start === offset) return claimed
    await sessions.abandon(claimed.row, claimed.takenOver)
    throw new AppError(
      'upload_range_invalid',
      `this chunk starts at byte ${start}, but the upload has ${offset} bytes; go on from there`,
      { offset },
    )
  }

  return {
    demandRoom: room.demand,

    async start(owner, algorithm = 'sha256') {
      const id = newUuid()
      const upload = { id, owner, algorithm, storageKey: store.newKey(), claimed: false }
      await openUploads.open(owner.account, () => sessions.create(upload))
      return { id }
    },

    async status(id, owner) {
      const { offset } = await sessions.get(id, owner)
      return { offset }
    },

    async append(id, owner, body, start) {
      const claimed = await claimAt(id, owner, start)
      if (!body) {
        await sessions.abandon(claimed.row, claimed.takenOver)
        return { offset: claimed.row.offset }
      }
      return { offset: await append(claimed, body, start !== undefined) }
    },

    async finish(id, owner, request) {
      const claimed = await claimAt(id, owner, request.start)
      const writer = await openWriter(claimed)
      try {
        await finish(claimed.row, writer, request)
      } catch (error) {
        // The session stays as it was before, unless the failure ended it.
        if (error instanceof UncertainCommit) throw error.cause
        await undo(claimed.row)
        throw error
      }
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
        const writer = await openUploadWriter(writerDeps, { row, takenOver: false })
        await finish(row, writer, request)
      } catch (error) {
        if (error instanceof UncertainCommit) throw error.cause
        // Nobody knows this session. Its bytes go first: on a full disk rows cannot be written.
        await store.remove([row.storage_key])
        await sessions.forget(row.id)
        throw error
      }
    },

    async cancel(id, owner) {
      await removeLeftover(await sessions.cancel(id, owner))
    },

    sweep,
  }
}

import { AppError, isAppError } from '../../lib/errors.ts'
import { createLimit } from '../../lib/limit.ts'
import type { BlobPosition, BlobStore } from '../../store/blobs/blob-store.ts'
import type { Db } from '../../store/db/database.ts'
import { LIVE } from '../../store/db/prepared.ts'

const NOTHING: BlobPosition = { offset: 0, state: null }
/** So many blobs are copied, at most, before it is written down how far the move is. */
const PAGE = 50
const ATTEMPTS = 4
const FIRST_PAUSE_MS = 500

export interface StoredBlob {
  id: number
  sha256: string
  size: number
  key: string
}

/** A blob that is damaged in the former store, and was left there. */
export interface DamagedBlob {
  id: number
  /** A sentence. */
  problem: string
}

export interface CopyBlobsDeps {
  /** Knows what there is. */
  db: Db
  from: BlobStore
  to: BlobStore
  /** How many at once. */
  parallel: number
  /** Contents up to this id were copied by an earlier run, all but those that were damaged. */
  after: number
  damaged: readonly number[]
  /** All contents up to this id are copied now, but for the damaged ones. */
  noteDone(id: number, damaged: readonly number[]): Promise<void>
  onProgress(progress: { blobs: number; bytes: number }): void
}

/** The blobs outside of the database, by id. */
export function storedBlobs(db: Db) {
  return db.query
    .selectFrom('content')
    .select((eb) => ['id', 'sha256', 'size', eb.fn.coalesce('storage_key', eb.val('')).as('key')])
    .where('state', '=', LIVE)
    .where('storage_key', 'is not', null)
    .orderBy('id')
}

/**
 * Copies every blob under its own key, and compares its digest while it passes. Those that are
 * damaged are not taken along, and returned.
 */
export async function copyBlobs(deps: CopyBlobsDeps): Promise<DamagedBlob[]> {
  const { db, parallel, noteDone, onProgress } = deps
  const limit = createLimit(parallel)
  const damaged: DamagedBlob[] = []
  const progress = { blobs: 0, bytes: 0 }

  async function take(blob: StoredBlob, mayBeThere: boolean): Promise<void> {
    if (!(mayBeThere && (await isIntact(deps.to, blob)))) {
      const problem = await copyPatiently(deps, blob, (bytes) => {
        progress.bytes += bytes
        onProgress(progress)
      })
      if (problem !== undefined) {
        damaged.push({ id: blob.id, problem })
        return
      }
    }
    progress.blobs++
    onProgress(progress)
  }

  async function takeAll(blobs: readonly StoredBlob[], mayBeThere: boolean): Promise<void> {
    await Promise.all(blobs.map((blob) => limit(() => take(blob, mayBeThere))))
  }

  if (deps.damaged.length > 0) {
    const again = storedBlobs(db).where('id', 'in', [...deps.damaged])
    await takeAll(await again.execute(), false)
  }
  // What follows may have been copied, wholly or in part, by a run that was killed.
  let mayBeThere = true
  for (let { after } = deps; ; mayBeThere = false) {
    const page = await storedBlobs(db).where('id', '>', after).limit(PAGE).execute()
    await takeAll(page, mayBeThere)
    after = page.at(-1)?.id ?? after
    await noteDone(
      after,
      damaged.map(({ id }) => id),
    )
    if (page.length < PAGE) return damaged
  }
}

/** Returns what is wrong with the blob in the former store. */
async function copyPatiently(
  deps: CopyBlobsDeps,
  blob: StoredBlob,
  onBytes: (bytes: number) => void,
): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await copyBlob(deps, blob, onBytes)
    } catch (error) {
      if (attempt === ATTEMPTS || !isAppError(error, 'unavailable')) throw error
      await Bun.sleep(FIRST_PAUSE_MS * 2 ** attempt)
    }
  }
}

async function copyBlob(
  { from, to }: CopyBlobsDeps,
  blob: StoredBlob,
  onBytes: (bytes: number) => void,
): Promise<string | undefined> {
  const { key, size, sha256 } = blob
  const name = `blob sha256:${sha256} (${key})`
  const stream = await from.stream(key, size)
  if (!stream) return `${name} is not there`
  const hasher = new Bun.CryptoHasher('sha256')
  const appender = await to.append(key, NOTHING)
  try {
    let copied = 0
    for await (const chunk of stream) {
      hasher.update(chunk)
      await appender.write(chunk)
      copied += chunk.length
      onBytes(chunk.length)
    }
    // Before it becomes an object that looks complete.
    if (copied !== size || hasher.digest('hex') !== sha256) {
      await appender.close()
      await to.remove([key])
      return `${name} has other bytes than its digest says`
    }
    await to.complete(key, await appender.checkpoint({ isLast: true }))
    return undefined
  } finally {
    await appender.close()
  }
}

async function isIntact(store: BlobStore, { key, size, sha256 }: StoredBlob): Promise<boolean> {
  if ((await store.size(key)) !== size) return false
  const stream = await store.stream(key, size)
  if (!stream) return false
  const hasher = new Bun.CryptoHasher('sha256')
  for await (const chunk of stream) hasher.update(chunk)
  return hasher.digest('hex') === sha256
}

/** @throws AppError conflict when somebody keeps blobs there */
export async function demandEmpty(store: BlobStore): Promise<void> {
  for await (const _ of store.list()) {
    throw new AppError(
      'conflict',
      'there are blobs already in the storage to move to: name a bucket and prefix of its own; of the ' +
        'data folder, put the folder blobs aside',
    )
  }
}

import { AppError } from '../lib/errors.ts'
import { algorithmOf, type Digest, type DigestAlgorithm, parseDigest } from '../oci/digest.ts'
import type { BlobAppender, BlobStore } from '../store/blobs/blob-store.ts'
import { type Bytes, INLINE_LIMIT } from './content.ts'
import type { ClaimedUpload } from './upload-claims.ts'
import {
  createSavableHash,
  createUploadHash,
  type HashCache,
  type UploadHash,
} from './upload-hash.ts'
import type { Upload } from './upload-owner.ts'
import type { SafePart, UploadSessions } from './upload-session.ts'

const NOTHING = { state: null }

/** Takes the bytes of one claimed session: in memory while they are few, then in the store. */
export interface UploadWriter {
  readonly offset: number
  /** The digest of everything so far; undefined when the session runs no hash of the algorithm. */
  digest(algorithm: DigestAlgorithm): Promise<Digest | undefined>
  /** Keeps the running hash for the next request of this session. */
  keepHash(): void
  write(chunk: Uint8Array): Promise<void>
  /** Makes everything durable and says what the row must hold. */
  checkpoint(): Promise<SafePart>
  /** Makes the upload the whole content; nothing can be written afterwards. */
  complete(): Promise<Bytes>
  close(): Promise<void>
}

/** Opens a writer where the session stands; the bytes before are read again only if they must. */
export async function openUploadWriter(
  deps: { store: BlobStore; sessions: UploadSessions; hashes: HashCache },
  { row, takenOver }: ClaimedUpload,
  { isChunked = false }: { isChunked?: boolean } = {},
): Promise<UploadWriter> {
  const { store, sessions, hashes } = deps
  const algorithm = row.algorithm as DigestAlgorithm
  // Where the bytes so far may be read, the present key first.
  const keys = [row.storage_key]
  // The former writer may still be alive and write to the old key: go on under another one.
  if (takenOver) await moveOn()
  let hash = hashes.take(row.id, row.offset)
  let offset = row.offset
  let small: Uint8Array[] | undefined =
    row.buffer !== null || row.offset === 0 ? [row.buffer ?? new Uint8Array()] : undefined
  let appender: BlobAppender | undefined
  let completed: Bytes | undefined
  // False once a chunk was counted and hashed that the store did not take.
  let intact = true

  async function moveOn(): Promise<void> {
    await moveToNewKey(store, sessions, row)
    keys.unshift(row.storage_key)
  }

  async function spill(): Promise<BlobAppender> {
    if (appender) return appender
    const start = small ? 0 : row.offset
    appender = await store.append(row.storage_key, { offset: start, state: row.storage_state })
    for (const chunk of small ?? []) await appender.write(chunk)
    small = undefined
    return appender
  }

  async function runningHash(): Promise<UploadHash> {
    hash ??= await openHash()
    return hash
  }

  /** Who sends one chunk with its place will send more, and maybe to other processes. */
  async function openHash(): Promise<UploadHash> {
    const { offset: known, hash_state: saved } = row
    if (saved !== null && known > 0) return createSavableHash(algorithm, saved)
    const isSaved = store.isRemote && (isChunked || known > INLINE_LIMIT)
    const opened = await (isSaved ? createSavableHash(algorithm) : createUploadHash(algorithm))
    for await (const chunk of await prefix()) opened.update(chunk)
    return opened
  }

  async function prefix(): Promise<AsyncIterable<Uint8Array> | Uint8Array[]> {
    if (row.buffer !== null) return [new Uint8Array(row.buffer)]
    if (row.offset === 0) return []
    const found = await readAny()
    if (found) return found
    // Unfinished bytes in a bucket can be read once the session goes on under another key.
    if (store.isRemote && !appender) await moveOn()
    const moved = await readAny()
    if (moved) return moved
    throw new Error(`the bytes of upload ${row.id} under ${keys.join(', ')} are missing`)
  }

  async function readAny(): Promise<AsyncIterable<Uint8Array> | undefined> {
    for (const key of keys) {
      const stream = await store.stream(key, row.offset)
      if (stream) return stream
    }
    return undefined
  }

  /** As the last request left it in the row; of no use when others may have written since. */
  function knownDigest(name: DigestAlgorithm): Digest | undefined {
    if (takenOver || offset !== row.offset) return undefined
    const text = name === 'sha256' ? row.prefix_sha256 : row.prefix_digest
    const digest = text === null ? undefined : parseDigest(text)
    return digest && algorithmOf(digest) === name ? digest : undefined
  }

  async function digest(name: DigestAlgorithm): Promise<Digest | undefined> {
    return knownDigest(name) ?? (await runningHash()).digest(name)
  }

  return {
    get offset() {
      return offset
    },
    digest,
    keepHash() {
      if (hash) hashes.keep(row.id, offset, hash)
    },
    async write(chunk) {
      const running = hash ?? (await runningHash())
      intact = false
      running.update(chunk)
      offset += chunk.length
      if (small && offset <= INLINE_LIMIT) small.push(chunk.slice())
      else await (await spill()).write(chunk)
      intact = true
    },
    async checkpoint() {
      if (!intact) throw new AppError('internal', 'the store did not take all of the upload')
      const position = appender && (await appender.checkpoint())
      return {
        offset,
        prefix_digest: (await digest(algorithm)) ?? null,
        prefix_sha256: (await digest('sha256')) ?? null,
        storage_key: row.storage_key,
        storage_state: position ? position.state : row.storage_state,
        hash_state: hash ? hash.save() : row.hash_state,
        buffer: small ? Buffer.concat(small) : null,
      }
    },
    async complete() {
      if (small) return { inline: Buffer.concat(small) }
      if (completed) return completed
      const position = appender
        ? await appender.checkpoint({ isLast: true })
        : { offset, state: row.storage_state }
      await appender?.close()
      await store.complete(row.storage_key, position)
      completed = { storageKey: row.storage_key }
      return completed
    },
    async close() {
      await appender?.close()
    },
  }
}

async function moveToNewKey(
  store: BlobStore,
  sessions: UploadSessions,
  row: Upload,
): Promise<void> {
  const newKey = store.newKey()
  const reservation = await sessions.reserve(newKey)
  const isStored = row.offset > 0 && row.buffer === null
  const position = { offset: row.offset, state: row.storage_state }
  const { state } = isStored ? await store.adopt(row.storage_key, position, newKey) : NOTHING
  await sessions.move(row, reservation, { storage_key: newKey, storage_state: state })
}

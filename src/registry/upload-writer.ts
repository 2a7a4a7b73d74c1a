import { AppError } from '../lib/errors.ts'
import { algorithmOf, type Digest, type DigestAlgorithm, parseDigest } from '../oci/digest.ts'
import type { BlobAppender, BlobStore } from '../store/blobs/blob-store.ts'
import { type Bytes, INLINE_LIMIT } from './content.ts'
import { createUploadHash, type HashCache, type UploadHash } from './upload-hash.ts'
import type { ClaimedUpload, SafePart, Upload, UploadSessions } from './upload-session.ts'

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
  /** Makes the upload the whole content. */
  complete(): Promise<Bytes>
  close(): Promise<void>
}

/** Opens a writer where the session stands; the bytes before are read again only if they must. */
export async function openUploadWriter(
  deps: { store: BlobStore; sessions: UploadSessions; hashes: HashCache },
  { row, takenOver }: ClaimedUpload,
): Promise<UploadWriter> {
  const { store, sessions, hashes } = deps
  const algorithm = row.algorithm as DigestAlgorithm
  // The former writer may still be alive and write to the old key: go on under another one.
  if (takenOver) await moveToNewKey(store, sessions, row)
  let hash = hashes.take(row.id, row.offset)
  let offset = row.offset
  let small: Uint8Array[] | undefined =
    row.buffer !== null || row.offset === 0 ? [row.buffer ?? new Uint8Array()] : undefined
  let appender: BlobAppender | undefined
  // False once a chunk was counted and hashed that the store did not take.
  let intact = true

  async function spill(): Promise<BlobAppender> {
    if (appender) return appender
    const start = small ? 0 : row.offset
    appender = await store.append(row.storage_key, { offset: start, state: row.storage_state })
    for (const chunk of small ?? []) await appender.write(chunk)
    small = undefined
    return appender
  }

  async function runningHash(): Promise<UploadHash> {
    hash ??= await hashAgain(store, row, createUploadHash(algorithm))
    return hash
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
        buffer: small ? Buffer.concat(small) : null,
      }
    },
    async complete() {
      if (small) return { inline: Buffer.concat(small) }
      const position = appender ? await appender.checkpoint() : { offset, state: row.storage_state }
      await appender?.close()
      await store.complete(row.storage_key, position)
      return { storageKey: row.storage_key }
    },
    async close() {
      await appender?.close()
    },
  }
}

/** The bytes of a session up to its offset, wherever they are. */
export async function* readUpload(
  store: BlobStore,
  upload: Pick<Upload, 'buffer' | 'offset' | 'storage_key'>,
): AsyncGenerator<Uint8Array> {
  if (upload.buffer !== null) {
    yield new Uint8Array(upload.buffer)
    return
  }
  if (upload.offset === 0) return
  const source = await store.read(upload.storage_key, upload.offset)
  if (!source) throw new Error(`the bytes of upload under ${upload.storage_key} are missing`)
  const body = source.kind === 'file' ? source.file : await (await fetch(source.url)).blob()
  yield* body.stream()
}

async function hashAgain(store: BlobStore, row: Upload, hash: UploadHash): Promise<UploadHash> {
  for await (const chunk of readUpload(store, row)) hash.update(chunk)
  return hash
}

async function moveToNewKey(
  store: BlobStore,
  sessions: UploadSessions,
  row: Upload,
): Promise<void> {
  const newKey = store.newKey()
  const reservation = await sessions.reserve(newKey)
  if (row.offset > 0 && row.buffer === null) {
    const appender = await store.append(newKey, { offset: 0, state: null })
    try {
      for await (const chunk of readUpload(store, row)) await appender.write(chunk)
      await appender.checkpoint()
    } finally {
      await appender.close()
    }
  }
  await sessions.move(row, reservation, newKey)
}

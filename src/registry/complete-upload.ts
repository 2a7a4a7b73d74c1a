import { AppError } from '../lib/errors.ts'
import { algorithmOf, type Digest, hexOf } from '../oci/digest.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import type { NewContent } from './content.ts'
import { lostUpload } from './upload-claims.ts'
import { createUploadHash } from './upload-hash.ts'
import type { Upload } from './upload-owner.ts'
import type { UploadSessions } from './upload-session.ts'
import type { UploadWriter } from './upload-writer.ts'

/**
 * Makes what was received a content, if it has the digest that the client says.
 * @throws AppError digest_mismatch (the session is gone then)
 */
export type CompleteUpload = (
  row: Upload,
  writer: UploadWriter,
  digest: Digest,
) => Promise<NewContent>

export function createCompleteUpload(deps: {
  store: BlobStore
  sessions: Pick<UploadSessions, 'discard'>
  removeLeftover(upload: Upload): Promise<void>
}): CompleteUpload {
  const { store, sessions, removeLeftover } = deps

  async function demandDigest(row: Upload, writer: UploadWriter, digest: Digest): Promise<void> {
    const algorithm = algorithmOf(digest)
    let actual = await writer.digest(algorithm)
    if (!actual) {
      // sha512 that nobody announced: the bytes are read once more.
      const hash = createUploadHash(algorithm)
      for await (const chunk of await bytesOf(writer)) hash.update(chunk)
      actual = hash.digest(algorithm)
    }
    if (actual === digest) return
    if (!(await sessions.discard(row))) throw lostUpload()
    await removeLeftover(row)
    throw new AppError(
      'digest_mismatch',
      `the ${writer.offset} bytes received have the digest ${actual}, not ${digest}; upload the blob again`,
    )
  }

  async function bytesOf(writer: UploadWriter): Promise<AsyncIterable<Uint8Array> | Uint8Array[]> {
    const bytes = await writer.complete()
    if ('inline' in bytes) return [bytes.inline]
    const stream = await store.stream(bytes.storageKey, writer.offset)
    if (stream) return stream
    throw new AppError('unavailable', 'the bytes of this upload cannot be read from the storage')
  }

  return async (row, writer, digest) => {
    await demandDigest(row, writer, digest)
    const sha256 = await writer.digest('sha256')
    if (!sha256) throw new AppError('internal', 'an upload without a sha256')
    return { sha256: hexOf(sha256), size: writer.offset, bytes: await writer.complete() }
  }
}

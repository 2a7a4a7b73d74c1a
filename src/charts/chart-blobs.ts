import { AppError } from '../lib/errors.ts'
import { parseDigest } from '../oci/digest.ts'
import type { RepositoryName } from '../oci/reference.ts'
import type { Blobs } from '../registry/blobs.ts'
import { bytesOf } from '../store/blobs/source-bytes.ts'

/**
 * The bytes of a blob that is small by its nature.
 * @throws AppError blob_unknown, too_large, unavailable
 */
export async function readSmallBlob(
  blobs: Blobs,
  name: RepositoryName,
  digest: string,
  limit: number,
): Promise<Uint8Array> {
  const known = parseDigest(digest)
  if (!known) throw new AppError('blob_unknown', `blob ${digest} is of an unknown algorithm`)
  const blob = await blobs.get(name, known)
  if (blob.size > limit) {
    throw new AppError('too_large', `blob ${digest} has ${blob.size} bytes; ${limit} are read`)
  }
  const bytes = await bytesOf(await blobs.open(blob))
  if (bytes) return bytes
  throw new AppError('unavailable', 'the bytes of this blob cannot be read from the storage')
}

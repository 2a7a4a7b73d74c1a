import { AppError } from '../../lib/errors.ts'
import type { AppenderStart } from './s3-appender.ts'
import type { S3Bucket } from './s3-bucket.ts'
import { MIN_PART_BYTES, ONE_PUT_BYTES } from './s3-part-sizes.ts'
import type { S3Part } from './s3-state.ts'
import { readBytes } from './s3-stream.ts'

/** What the server copies as one part; several at once. */
const COPY_BYTES = 512 * 1024 * 1024
const AT_ONCE = 4

export const NOTHING_YET: AppenderStart = {
  upload: undefined,
  parts: [],
  tailName: 1,
  hadTail: false,
  rest: new Uint8Array(),
}

/** The first `size` bytes of an object as the beginning of another, copied by the server. */
export async function copyPrefix(
  bucket: S3Bucket,
  from: string,
  to: string,
  size: number,
): Promise<AppenderStart> {
  if (size <= ONE_PUT_BYTES) {
    return { ...NOTHING_YET, rest: await demandBytes(bucket, from, { start: 0, end: size - 1 }) }
  }
  const beyond = size % COPY_BYTES
  const copied = beyond < MIN_PART_BYTES ? size - beyond : size
  const upload = { name: to, id: await bucket.begin(to) }
  const parts: S3Part[] = []
  const ranges: { number: number; start: number; end: number }[] = []
  for (let start = 0; start < copied; start += COPY_BYTES) {
    const end = Math.min(start + COPY_BYTES, copied) - 1
    ranges.push({ number: ranges.length + 1, start, end })
    parts.push(['', end - start + 1])
  }
  const queue = ranges.values()
  const copyAll = async () => {
    for (const { number, start, end } of queue) {
      const etag = await bucket.copyPart(upload, number, from, { start, end })
      parts[number - 1] = [etag, end - start + 1]
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, copyAll))
  const rest =
    copied < size
      ? await demandBytes(bucket, from, { start: copied, end: size - 1 })
      : new Uint8Array()
  return { ...NOTHING_YET, upload: upload.id, parts, rest }
}

/** @throws AppError internal when they are not there */
export async function demandBytes(
  bucket: S3Bucket,
  name: string,
  range: { start: number; end: number },
): Promise<Uint8Array> {
  const bytes = await readBytes(bucket, name, range)
  if (bytes) return bytes
  throw new AppError('internal', `bytes of an upload under ${name} are missing in the bucket`)
}

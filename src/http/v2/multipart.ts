import { newHex } from '../../lib/ids.ts'
import type { ByteRange } from '../../oci/range.ts'
import type { Blob, Blobs } from '../../registry/blobs.ts'
import { bytesOf } from '../../store/blobs/source-bytes.ts'

/** Such an answer is put together in memory, one of them up to this size … */
const LIMIT_BYTES = 16 * 1024 * 1024
/** … and all that are on their way up to this one: readers who do not read cannot take more. */
const BUDGET_BYTES = 64 * 1024 * 1024

let taken = 0
// Bun does not say when an answer was sent or given up; then nobody holds its body any more.
const released = new FinalizationRegistry<number>((size) => {
  taken -= size
})

/**
 * Several ranges as `multipart/byteranges` (RFC 9110 section 14.6), which containers/image needs
 * for partial pulls of zstd:chunked layers. undefined: too much, the whole blob is the answer.
 */
export async function multipartResponse(
  ranges: readonly ByteRange[],
  blob: Blob,
  headers: Record<string, string>,
  open: Blobs['open'],
): Promise<Response | undefined> {
  const total = ranges.reduce((sum, { start, end }) => sum + end - start + 1, 0)
  if (total > LIMIT_BYTES || taken + total > BUDGET_BYTES) return undefined
  taken += total
  const boundary = newHex(16)
  let body: Uint8Array<ArrayBuffer> | undefined
  try {
    body = await bodyOf(ranges, blob, boundary, open)
  } finally {
    if (!body) taken -= total
  }
  if (!body) return undefined
  released.register(body, total)
  return new Response(body, {
    status: 206,
    headers: {
      ...headers,
      'content-type': `multipart/byteranges; boundary=${boundary}`,
      'content-length': String(body.length),
    },
  })
}

async function bodyOf(
  ranges: readonly ByteRange[],
  blob: Blob,
  boundary: string,
  open: Blobs['open'],
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const parts: Uint8Array[] = []
  for (const range of ranges) {
    const bytes = await bytesOf(await open(blob, range))
    if (!bytes) return undefined
    const head =
      `\r\n--${boundary}\r\ncontent-type: application/octet-stream\r\n` +
      `content-range: bytes ${range.start}-${range.end}/${blob.size}\r\n\r\n`
    parts.push(Buffer.from(head), bytes)
  }
  parts.push(Buffer.from(`\r\n--${boundary}--\r\n`))
  return Buffer.concat(parts)
}

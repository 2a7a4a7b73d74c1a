/** First and last byte, both included. */
export interface ByteRange {
  start: number
  end: number
}

const MAX_RANGES = 100

/**
 * Parses a `Range` header against a body of `size` bytes (RFC 9110 section 14.1.2).
 *
 * Returns undefined when there is nothing to honour (no header, another unit, too many or
 * overlapping ranges: the whole body is the answer), `unsatisfiable` for 416, else the ranges in
 * the order asked. A reversed range such as `500-0` is answered with 416, as the conformance
 * program of distribution-spec expects.
 */
export function parseRange(
  header: string | null,
  size: number,
): ByteRange[] | 'unsatisfiable' | undefined {
  if (header === null || !/^bytes=/i.test(header)) return undefined
  const parts = header.slice('bytes='.length).split(',')
  if (parts.length > MAX_RANGES) return undefined
  const ranges: ByteRange[] = []
  for (const part of parts) {
    // Clients that want all of it write the largest number they know: more digits are no error.
    const match = /^\s*(\d*)-(\d*)\s*$/.exec(part)
    if (!match) return 'unsatisfiable'
    const range = toRange(match[1] ?? '', match[2] ?? '', size)
    if (range) ranges.push(range)
  }
  if (ranges.length === 0) return 'unsatisfiable'
  return overlaps(ranges) ? undefined : ranges
}

function toRange(first: string, last: string, size: number): ByteRange | undefined {
  if (first === '') {
    const suffix = Number(last)
    if (last === '' || suffix === 0 || size === 0) return undefined
    return { start: Math.max(0, size - suffix), end: size - 1 }
  }
  const start = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  return start > end || start >= size ? undefined : { start, end }
}

/** Overlapping ranges are a way to ask for much more than the body holds. */
function overlaps(ranges: ByteRange[]): boolean {
  const sorted = [...ranges].sort((a, b) => a.start - b.start)
  return sorted.some((range, i) => i > 0 && range.start <= (sorted[i - 1]?.end ?? -1))
}

/**
 * Parses the `Content-Range` of a chunk (distribution-spec, "Pushing a blob in chunks"):
 * `<start>-<end>`, both included; `bytes` and `/size` around it are tolerated.
 */
export function parseChunkRange(header: string): ByteRange | undefined {
  const match = /^(?:bytes[ =])?\s*(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header.trim())
  if (!match) return undefined
  return { start: Number(match[1]), end: Number(match[2]) }
}

const headEnd = '\r\n\r\n'

/** One HTTP answer. `length` counts the bytes of the body also where they were not kept. */
export type Reply = {
  status: number
  /** Status line and header lines, as received, without the empty line. */
  head: string
  length: number
  /** The body where it was asked for or where the status is an error, else empty. */
  body: Buffer
}

export type ReplyParser = {
  /** Says what the next answer belongs to: `bodyless` for HEAD, `keep` to get the body. */
  expect(options: { bodyless: boolean; keep: boolean }): void
  /** Takes what arrived; gives the answer when it is complete. Keeps nothing of `data` itself. */
  feed(data: Buffer): Reply | null
  /** How many of the next bytes nobody has to see: those of a body that is only counted. */
  droppable(): number
  /** Takes note of so many of them; gives the answer when it is complete. */
  drop(bytes: number): Reply | null
}

/**
 * Reads answers of one keep-alive connection without pipelining.
 *
 * Bodies of a known length are counted and never touched, so that a pull costs the generator
 * nothing but calls of the system. The chunked form is here for the lists of Go servers.
 */
export function createReplyParser(): ReplyParser {
  let bodyless = false
  let keep = false
  let pending: Buffer | null = null
  let reply: Reply | null = null
  let remaining = 0
  let chunks: ChunkReader | null = null
  let kept: Buffer[] = []

  return { expect, feed, droppable, drop }

  function expect(options: { bodyless: boolean; keep: boolean }): void {
    bodyless = options.bodyless
    keep = options.keep
    pending = null
    reply = null
    remaining = 0
    chunks = null
    kept = []
  }

  function feed(data: Buffer): Reply | null {
    if (reply !== null) return readBody(reply, data)
    const joined: Buffer = pending === null ? data : Buffer.concat([pending, data])
    const end = joined.indexOf(headEnd)
    if (end < 0) {
      pending = Buffer.from(joined)
      return null
    }
    pending = null
    const head = joined.toString('latin1', 0, end)
    const status = Number(head.slice(9, 12))
    const rest = joined.subarray(end + headEnd.length)
    if (status < 200) return rest.length > 0 ? feed(rest) : null
    reply = { status, head, length: 0, body: Buffer.alloc(0) }
    if (bodyless || status === 204 || status === 304) return reply
    if (status >= 400) keep = true
    if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
      chunks = createChunkReader((piece) => take(reply as Reply, piece))
    } else {
      const length = headerOf(head, 'content-length')
      if (length === null) throw new Error(`an answer without a length: ${head}`)
      remaining = Number(length)
    }
    return readBody(reply, rest)
  }

  function droppable(): number {
    return reply === null || keep || chunks !== null ? 0 : remaining
  }

  function drop(bytes: number): Reply | null {
    if (reply === null || bytes > droppable()) throw new Error('these bytes have to be seen')
    remaining -= bytes
    reply.length += bytes
    return remaining === 0 ? reply : null
  }

  function readBody(current: Reply, data: Buffer): Reply | null {
    let complete: boolean
    if (chunks !== null) {
      complete = chunks.feed(data)
    } else {
      if (data.length > remaining) throw new Error('more bytes than the answer announced')
      remaining -= data.length
      take(current, data)
      complete = remaining === 0
    }
    if (!complete) return null
    if (keep) current.body = Buffer.concat(kept)
    return current
  }

  function take(current: Reply, piece: Buffer): void {
    current.length += piece.length
    if (keep) kept.push(Buffer.from(piece))
  }
}

/** The value of the first header of that name (lower case), or null. */
export function headerOf(head: string, name: string): string | null {
  const found = new RegExp(`\\r\\n${name}:[ \\t]*([^\\r]*)`, 'i').exec(head)
  return found?.[1] ?? null
}

type ChunkReader = { feed(data: Buffer): boolean }

/** RFC 9112 section 7.1, without extensions' values and with trailers skipped. */
function createChunkReader(take: (piece: Buffer) => void): ChunkReader {
  let line = ''
  let left = 0
  let last = false

  return { feed }

  function feed(data: Buffer): boolean {
    let at = 0
    while (at < data.length) {
      if (left > 0) {
        // The CRLF after the data is counted with it and cut off here.
        const size = Math.min(left, data.length - at)
        const payload = Math.min(size, Math.max(0, left - 2))
        if (payload > 0) take(data.subarray(at, at + payload))
        left -= size
        at += size
        continue
      }
      const end = data.indexOf('\n', at)
      if (end < 0) {
        line += data.toString('latin1', at)
        return false
      }
      line = (line + data.toString('latin1', at, end)).trimEnd()
      at = end + 1
      if (last) {
        if (line === '') return true
      } else {
        const size = Number.parseInt(line, 16)
        if (Number.isNaN(size)) throw new Error(`not a chunk size: ${line}`)
        if (size === 0) last = true
        else left = size + 2
      }
      line = ''
    }
    return false
  }
}

/*
 * As much of HTTP/1.1 as a proxy has to know that passes bodies through as they come (RFC 9112):
 * heads, and where a body ends.
 */

export type Head = {
  /** The request line or the status line. */
  readonly start: string
  readonly fields: readonly (readonly [name: string, value: string])[]
}

/** What it takes to know the end of a body; `close`: the end of the connection. */
export type Framing = number | 'chunked' | 'close'

const END = '\r\n\r\n'

/** The head and what came after it; undefined while it is not complete. */
export const splitHead = (bytes: Buffer): { head: Head; rest: Buffer } | undefined => {
  const end = bytes.indexOf(END)
  if (end < 0) return undefined
  const [start = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const fields = lines.map((line): readonly [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
  return { head: { start, fields }, rest: bytes.subarray(end + END.length) }
}

export const fieldOf = ({ fields }: Head, name: string): string | undefined =>
  fields.find(([other]) => other.toLowerCase() === name)?.[1]

/** The head with other fields: those that are replaced go, under any spelling. */
export const writeHead = (
  { start, fields }: Head,
  replaced: Readonly<Record<string, string>>,
): Buffer => {
  const kept = fields.filter(([name]) => !(name.toLowerCase() in replaced))
  const lines = [...kept, ...Object.entries(replaced)].map(([name, value]) => `${name}: ${value}`)
  return Buffer.from(`${[start, ...lines].join('\r\n')}${END}`, 'latin1')
}

/** Of a request, where no field means no body. */
export const requestFraming = (head: Head): Framing => {
  if (/chunked/i.test(fieldOf(head, 'transfer-encoding') ?? '')) return 'chunked'
  return Number(fieldOf(head, 'content-length') ?? 0)
}

export const statusOf = ({ start }: Head): number => Number(start.split(' ')[1])

export const responseFraming = (head: Head, method: string): Framing => {
  const status = statusOf(head)
  if (method === 'HEAD' || status === 204 || status === 304) return 0
  if (/chunked/i.test(fieldOf(head, 'transfer-encoding') ?? '')) return 'chunked'
  const length = fieldOf(head, 'content-length')
  return length === undefined ? 'close' : Number(length)
}

/** Watches a body pass. `feed` says how many of the bytes belong to it, `done` whether it ended. */
export const watchBody = (framing: Framing) => {
  let left = typeof framing === 'number' ? framing : 0
  let done = framing === 0
  /** Of chunks: in a line with a size, in data and the line end after it, or in the last lines. */
  let state: 'size' | 'data' | 'trailer' = 'size'
  let line = ''

  const feedChunks = (bytes: Buffer): number => {
    let at = 0
    while (at < bytes.length && !done) {
      if (state === 'data') {
        const taken = Math.min(left, bytes.length - at)
        left -= taken
        at += taken
        if (left === 0) state = 'size'
        continue
      }
      const end = bytes.indexOf(0x0a, at)
      line += bytes.toString('latin1', at, end < 0 ? bytes.length : end + 1)
      at = end < 0 ? bytes.length : end + 1
      if (end < 0) break
      if (state === 'trailer') done = line.trim() === ''
      else {
        const size = Number.parseInt(line, 16)
        state = size === 0 ? 'trailer' : 'data'
        left = size + 2
      }
      line = ''
    }
    return at
  }

  return {
    get done() {
      return done
    },
    feed(bytes: Buffer): number {
      if (done) return 0
      if (framing === 'close') return bytes.length
      if (framing === 'chunked') return feedChunks(bytes)
      const taken = Math.min(left, bytes.length)
      left -= taken
      done = left === 0
      return taken
    },
  }
}

import { createReplyParser, type Reply } from './reply-parser.ts'

/** Where requests go, and as whom. */
export type Endpoint = {
  host: string
  port: number
  /** Ports of further replicas: connections go to all of them in turn. */
  replicas?: readonly number[]
  user: string | null
  password: string | null
}

type Exchange = {
  /** Request head and body, written one after the other and never copied. */
  pieces: readonly Uint8Array[]
  /** The status that means success. */
  status: number
  /** True for HEAD: the answer has a length but no body. */
  bodyless?: boolean
  /** True to get the body; otherwise its bytes are counted and dropped. */
  keep?: boolean
  /** When the last byte was handed to the kernel. */
  onSent?: () => void
}

export type Connection = {
  /** One request, one answer. Rejects on any other status, with the server's own words. */
  exchange(request: Exchange): Promise<Reply>
  close(): void
}

type Waiting = {
  request: Exchange
  piece: number
  offset: number
  resolve(reply: Reply): void
  reject(error: Error): void
}

let connections = 0

/**
 * A keep-alive connection of raw TCP: no pool, no header object, no stream.
 *
 * `Bun.fetch` and `node:http` would spend more CPU on a request than a fast server does, and on a
 * machine of two cores that would be measured as the server being slow.
 */
export async function connect(endpoint: Endpoint): Promise<Connection> {
  const ports = [endpoint.port, ...(endpoint.replicas ?? [])]
  const parser = createReplyParser()
  let waiting: Waiting | null = null
  let broken: Error | null = null

  const port = ports[connections++ % ports.length] ?? endpoint.port
  let socket: Bun.Socket | null = await open()

  return { exchange, close }

  async function open(): Promise<Bun.Socket> {
    const opened = await Bun.connect({
      hostname: endpoint.host,
      port,
      socket: {
        data(_socket, data) {
          receive(data)
        },
        drain() {
          write()
        },
        close() {
          // Bun gives a connection ten seconds for its first request, and preparing takes longer.
          if (waiting === null) socket = null
          else fail(new Error('the server closed the connection'))
        },
        error(_socket, error) {
          fail(error)
        },
      },
    })
    opened.setNoDelay(true)
    return opened
  }

  async function exchange(request: Exchange): Promise<Reply> {
    if (broken !== null) throw broken
    if (waiting !== null) throw new Error('a request is under way already')
    socket ??= await open()
    return new Promise((resolve, reject) => {
      parser.expect({ bodyless: request.bodyless === true, keep: request.keep === true })
      waiting = { request, piece: 0, offset: 0, resolve, reject }
      write()
    })
  }

  function write(): void {
    if (waiting === null || socket === null) return
    const pieces = waiting.request.pieces
    for (;;) {
      const piece = pieces[waiting.piece]
      if (piece === undefined) return
      const size = piece.length - waiting.offset
      const written = socket.write(piece, waiting.offset, size)
      if (written < 0) {
        fail(new Error('the connection is closed'))
        return
      }
      if (written < size) {
        waiting.offset += written
        return
      }
      waiting.piece += 1
      waiting.offset = 0
      if (waiting.piece === pieces.length) waiting.request.onSent?.()
    }
  }

  function receive(data: Buffer): void {
    if (waiting === null) {
      fail(new Error('bytes arrived that nobody asked for'))
      return
    }
    let reply: Reply | null
    try {
      reply = parser.feed(data)
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)))
      return
    }
    if (reply === null) return
    const { request, piece, resolve, reject } = waiting
    waiting = null
    // An answer before the body was sent leaves the connection in the middle of a request.
    if (piece < request.pieces.length) broken = new Error('answered before the body was sent')
    if (reply.status === request.status && broken === null) resolve(reply)
    else reject(new Error(describe(request, reply)))
  }

  function fail(error: Error): void {
    broken ??= error
    const current = waiting
    waiting = null
    current?.reject(broken)
  }

  function close(): void {
    broken ??= new Error('closed')
    socket?.end()
  }
}

/** Bytes of a request head. `lines` are whole header lines without their line ends. */
export function requestHead(
  endpoint: Endpoint,
  method: string,
  path: string,
  lines: readonly string[],
): Buffer {
  const all = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${endpoint.host}:${endpoint.port}`,
    'User-Agent: entrepot-bench',
    ...lines,
  ]
  return Buffer.from(`${all.join('\r\n')}\r\n\r\n`, 'latin1')
}

function describe(request: Exchange, reply: Reply): string {
  const head = Buffer.from(request.pieces[0] ?? []).toString('latin1', 0, 200)
  const asked = head.slice(0, head.indexOf(' HTTP/'))
  const said = reply.body.toString('latin1', 0, 300).trim()
  return `${asked}: ${reply.status} instead of ${request.status}${said === '' ? '' : `: ${said}`}`
}

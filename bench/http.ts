import { createReplyParser, type Reply } from './reply-parser.ts'
import { openSocket, type Socket, waitBegins, waitEnds } from './sockets.ts'

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

/** Room for the head of an answer and a small body; what is larger is mostly dropped unseen. */
const received = Buffer.allocUnsafe(16 * 1024)
/** Only a connection that was left alone for so long may have been closed for it. */
const IDLE_MS = 1000

let connections = 0

/**
 * A keep-alive connection of raw TCP: no pool, no header object, no stream, and bodies that are
 * only counted are never copied out of the kernel.
 *
 * `Bun.fetch` and `node:http` would spend more CPU on a request than a fast server does, and on a
 * machine of two cores that would be measured as the server being slow.
 */
export async function connect(endpoint: Endpoint): Promise<Connection> {
  const ports = [endpoint.port, ...(endpoint.replicas ?? [])]
  const port = ports[connections++ % ports.length] ?? endpoint.port
  const parser = createReplyParser()
  let waiting: Waiting | null = null
  let broken: Error | null = null
  let lastUsed = performance.now()
  let socket = await open()

  return { exchange, close }

  function open(): Promise<Socket> {
    return openSocket(endpoint.host, port, onReady)
  }

  async function exchange(request: Exchange): Promise<Reply> {
    if (broken !== null) throw broken
    if (waiting !== null) throw new Error('a request is under way already')
    // Servers give a connection a while for its first request, and preparing takes longer.
    if (performance.now() - lastUsed > IDLE_MS && socket.hasEnded()) {
      socket.close()
      socket = await open()
    }
    return new Promise((resolve, reject) => {
      parser.expect({ bodyless: request.bodyless === true, keep: request.keep === true })
      waiting = { request, piece: 0, offset: 0, resolve, reject }
      waitBegins()
      write(waiting)
    })
  }

  function onReady(): void {
    if (waiting !== null) write(waiting)
    if (waiting !== null) receive()
  }

  function write(current: Waiting): void {
    const { pieces, onSent } = current.request
    for (;;) {
      const piece = pieces[current.piece]
      if (piece === undefined) return
      const sent = socket.send(piece, current.offset)
      if (sent === 'later') return
      if (sent === 'closed') {
        // What the server said before it closed tells more than that it did.
        receive()
        fail(new Error('the connection is closed'))
        return
      }
      current.offset += sent
      if (current.offset < piece.length) continue
      current.piece += 1
      current.offset = 0
      if (current.piece === pieces.length) onSent?.()
    }
  }

  /** Until the answer is complete or nothing more is there. */
  function receive(): void {
    for (let reply: Reply | null = null; reply === null && waiting !== null; ) {
      const unseen = parser.droppable()
      const got = unseen > 0 ? socket.drop(unseen) : socket.receive(received)
      if (got === 'later') return
      if (got === 'closed') {
        fail(new Error('the server closed the connection'))
        return
      }
      try {
        reply = unseen > 0 ? parser.drop(got) : parser.feed(received.subarray(0, got))
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)))
        return
      }
      if (reply !== null) finish(waiting, reply)
    }
  }

  function finish({ request, piece, resolve, reject }: Waiting, reply: Reply): void {
    waiting = null
    waitEnds()
    lastUsed = performance.now()
    // An answer before the body was sent leaves the connection in the middle of a request.
    if (piece < request.pieces.length) broken = new Error('answered before the body was sent')
    if (reply.status === request.status && broken === null) resolve(reply)
    else reject(new Error(describe(request, reply)))
  }

  function fail(error: Error): void {
    broken ??= error
    const current = waiting
    if (current === null) return
    waiting = null
    waitEnds()
    current.reject(broken)
  }

  function close(): void {
    fail(new Error('closed'))
    socket.close()
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

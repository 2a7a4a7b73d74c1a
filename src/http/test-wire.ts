import { connect as connectSocket, type Socket } from 'node:net'
import { formProblems } from './test-form.ts'

/*
 * HTTP/1.1 as it is on the wire. `fetch` unpacks, normalises paths, hides chunked answers and
 * opens new connections in silence; what is tested here is exactly that.
 */

export interface WireRequest {
  headers?: Record<string, string>
  /** A string or bytes are sent with Content-Length, unless the headers name one. */
  body?: Uint8Array | string
  /** `Authorization`. */
  as?: string | undefined
  /** The caller checks the form of the answer. */
  anyForm?: true
}

export interface WireResponse {
  status: number
  /** Lower-case names, in the order of the wire. */
  fields: [name: string, value: string][]
  /** The first of that name. */
  header(name: string): string | undefined
  body: Buffer
  text(): string
  json<T = Record<string, unknown>>(): T
  /** `Content-Length` was there and is what came; false for chunked answers. */
  exactLength: boolean
}

export interface Wire {
  /** Asks and reads the answer. Throws when an answer of /v2 has not the form it must have. */
  request(method: string, path: string, request?: WireRequest): Promise<WireResponse>
  /** Bytes as they are. */
  send(bytes: Uint8Array | string): void
  /** The next answer; undefined when the server closed the connection instead. */
  receive(method?: string): Promise<WireResponse | undefined>
  /** True once the server has closed it. */
  readonly closed: boolean
  close(): void
}

const ANSWER_LIMIT_MS = 30_000

/** One connection that is kept for as long as the server keeps it. */
export function openWire(port: number): Wire {
  const socket = connectSocket({ host: '127.0.0.1', port, noDelay: true })
  const incoming = collect(socket)

  async function receive(method = 'GET'): Promise<WireResponse | undefined> {
    const head = await incoming.until('\r\n\r\n')
    if (head === undefined) return undefined
    const [line = '', ...lines] = head.toString('latin1').split('\r\n')
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(line)?.[1])
    const fields = lines.filter(Boolean).map((text): [string, string] => {
      const colon = text.indexOf(':')
      return [text.slice(0, colon).toLowerCase(), text.slice(colon + 1).trim()]
    })
    const header = (name: string) => fields.find(([field]) => field === name)?.[1]
    const length = header('content-length')
    const bodiless = method === 'HEAD' || status === 204 || status === 304 || status < 200
    const chunked = /chunked/i.test(header('transfer-encoding') ?? '')
    let body: Buffer | undefined = Buffer.alloc(0)
    if (!bodiless && chunked) body = await incoming.chunks()
    else if (!bodiless && length !== undefined) body = await incoming.take(Number(length))
    else if (!bodiless) body = await incoming.rest()
    if (!body) return undefined
    const bytes = body
    return {
      status,
      fields,
      header,
      body: bytes,
      text: () => bytes.toString('utf8'),
      json: () => JSON.parse(bytes.toString('utf8')),
      exactLength:
        !chunked && length !== undefined && (bodiless || Number(length) === bytes.length),
    }
  }

  function send(bytes: Uint8Array | string): void {
    socket.write(bytes)
  }

  return {
    send,
    receive,
    async request(method, path, { headers = {}, body, as, anyForm } = {}) {
      const all: Record<string, string> = {
        host: `127.0.0.1:${port}`,
        // As containerd asks; nothing of /v2 may follow it.
        'accept-encoding': 'zstd;q=1.0, gzip;q=0.8, deflate;q=0.5',
        ...headers,
      }
      if (as !== undefined) all.authorization = as
      const names = Object.keys(all).map((name) => name.toLowerCase())
      const framed = names.includes('content-length') || names.includes('transfer-encoding')
      const bytes = typeof body === 'string' ? Buffer.from(body) : body
      if (!framed && (bytes || method === 'POST' || method === 'PUT' || method === 'PATCH')) {
        all['content-length'] = String(bytes?.length ?? 0)
      }
      const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
      send(Buffer.from(`${method} ${path} HTTP/1.1\r\n${head.join('')}\r\n`, 'latin1'))
      if (bytes && bytes.length > 0) send(bytes)
      const answer = await receive(method)
      if (!answer) throw new Error(`the connection was closed instead of an answer to ${method}`)
      const hasForm = !anyForm && /^\/v2(\/|$|\?)/.test(path)
      const problems = hasForm ? formProblems(method, answer) : []
      if (problems.length === 0) return answer
      throw new Error(`${method} ${path.slice(0, 300)} → ${answer.status}: ${problems.join('; ')}`)
    },
    get closed() {
      return incoming.ended()
    },
    close: () => socket.destroy(),
  }
}

/** What has arrived and was not read yet. */
function collect(socket: Socket) {
  let pending = Buffer.alloc(0)
  let ended = false
  let wake = () => {}
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    wake()
  })
  const end = () => {
    ended = true
    wake()
  }
  for (const event of ['end', 'close', 'error']) socket.on(event, end)

  async function arrived(enough: () => boolean): Promise<boolean> {
    const deadline = Date.now() + ANSWER_LIMIT_MS
    while (!enough()) {
      if (ended) return false
      if (Date.now() > deadline) throw new Error('no answer came within 30 seconds')
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1_000)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    return true
  }

  function cut(length: number): Buffer {
    const bytes = Buffer.from(pending.subarray(0, length))
    pending = pending.subarray(length)
    return bytes
  }

  async function until(mark: string): Promise<Buffer | undefined> {
    if (!(await arrived(() => pending.includes(mark)))) return undefined
    const bytes = cut(pending.indexOf(mark))
    cut(mark.length)
    return bytes
  }

  async function take(length: number): Promise<Buffer | undefined> {
    return (await arrived(() => pending.length >= length)) ? cut(length) : undefined
  }

  return {
    until,
    take,
    ended: () => ended,
    async rest() {
      await arrived(() => ended)
      return cut(pending.length)
    },
    async chunks() {
      const parts: Buffer[] = []
      for (;;) {
        const size = await until('\r\n')
        const part = size && (await take(Number.parseInt(size.toString(), 16)))
        if (!part || (await take(2)) === undefined) return undefined
        if (part.length === 0) return Buffer.concat(parts)
        parts.push(part)
      }
    },
  }
}

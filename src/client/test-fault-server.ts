import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Digest } from '../oci/digest.ts'

/*
 * A small registry over real HTTP that misbehaves on demand: before each answer a test may say
 * what is said instead, how much of it is sent, and when the connection breaks.
 */

export interface SeenRequest {
  method: string
  path: string
  query: URLSearchParams
  headers: IncomingMessage['headers']
}

export interface FaultAnswer {
  status?: number
  headers?: Record<string, string>
  body?: string | Uint8Array
  /** The connection breaks after so many bytes of the body. */
  cutAfter?: number
  /** Nothing is ever said. */
  hang?: true
  /** Of the request's body: read so many bytes, keep them, and break the connection. */
  takeOnly?: number
}

export interface FaultServer {
  url: string
  host: string
  seen: SeenRequest[]
  /** `GET /v2/a/tags/list`, in order. */
  lines(): string[]
  /** Asked before the registry; undefined leaves the answer to it. */
  fault: (request: SeenRequest) => FaultAnswer | undefined
  blobs: Map<string, Buffer>
  manifests: Map<string, { type: string; bytes: Buffer }>
  uploads: Map<string, Buffer>
  /** What every request must have in `authorization`; undefined: nothing. */
  wants: ((header: string | undefined) => boolean) | undefined
  /** `WWW-Authenticate` of what lacks it. */
  challenge: string
  hasReferrers: boolean
  stop(): Promise<void>
}

export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest
}

export async function startFaultServer(): Promise<FaultServer> {
  const server: FaultServer = {
    url: '',
    host: '',
    seen: [],
    lines: () => server.seen.map(({ method, path }) => `${method} ${path}`),
    fault: () => undefined,
    blobs: new Map(),
    manifests: new Map(),
    uploads: new Map(),
    wants: undefined,
    challenge: 'Basic realm="test"',
    hasReferrers: false,
    stop: () =>
      new Promise((resolve) => {
        listener.closeAllConnections()
        listener.close(() => resolve())
      }),
  }

  const listener = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://any')
    const { method = '', headers } = request
    const seen = { method, path: decodeURIComponent(pathname), query: searchParams, headers }
    server.seen.push(seen)
    const fault = server.fault(seen)
    request.on('error', () => {})
    if (fault?.hang) return
    if (fault?.takeOnly !== undefined) return takeOnly(request, seen, fault.takeOnly)
    // A request that breaks off has no answer.
    const whole = readAll(request).catch(() => undefined)
    void whole.then((body) => {
      if (!body) return
      const isDenied = server.wants && !server.wants(headers.authorization)
      const denial = { status: 401, headers: { 'www-authenticate': server.challenge } }
      write(response, seen, fault ?? (isDenied ? denial : answer(seen, body)))
    })
  })

  function takeOnly(request: IncomingMessage, { path }: SeenRequest, most: number) {
    const id = path.split('/').at(-1) ?? ''
    let taken = 0
    request.on('data', (piece: Buffer) => {
      const part = piece.subarray(0, most - taken)
      taken += part.length
      const present = server.uploads.get(id)
      if (present) server.uploads.set(id, Buffer.concat([present, part]))
      if (taken === most) request.socket.destroy()
    })
  }

  function answer(seen: SeenRequest, body: Buffer): FaultAnswer {
    const { method, path } = seen
    if (path === '/v2/') return { body: '{}' }
    const match = /^\/v2\/(.+)\/(manifests|blobs\/uploads|blobs|tags|referrers)\/(.*)$/.exec(path)
    const [, repository = '', kind, rest = ''] = match ?? []
    if (kind === 'manifests') return manifest(method, repository, rest, seen, body)
    if (kind === 'blobs/uploads') return upload(seen, repository, rest, body)
    if (kind === 'blobs') return blob(seen, rest)
    if (kind === 'referrers') {
      if (server.hasReferrers) return { body: emptyIndex(), headers: INDEX }
      return { status: 404, body: '404 page not found' }
    }
    return { status: 404, body: errors('NAME_UNKNOWN', 'no such thing here') }
  }

  function manifest(
    method: string,
    repository: string,
    reference: string,
    { headers }: SeenRequest,
    body: Buffer,
  ): FaultAnswer {
    if (method === 'PUT') {
      const stored = { type: headers['content-type'] ?? '', bytes: body }
      server.manifests.set(`${repository}:${reference}`, stored)
      server.manifests.set(`${repository}:${digestOf(body)}`, stored)
      return { status: 201, headers: { 'docker-content-digest': digestOf(body) } }
    }
    const found = server.manifests.get(`${repository}:${reference}`)
    if (!found) return { status: 404, body: errors('MANIFEST_UNKNOWN', 'no such manifest') }
    if (method === 'DELETE') {
      server.manifests.delete(`${repository}:${reference}`)
      return { status: 202 }
    }
    const digest = digestOf(found.bytes)
    const told = { 'content-type': found.type, 'docker-content-digest': digest }
    return { headers: told, body: found.bytes }
  }

  function blob({ headers }: SeenRequest, digest: string): FaultAnswer {
    const bytes = server.blobs.get(digest)
    if (!bytes) return { status: 404, body: errors('BLOB_UNKNOWN', 'no such blob') }
    const from = /^bytes=(\d+)-/.exec(headers.range ?? '')?.[1]
    if (from === undefined) return { body: bytes }
    const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`
    return { status: 206, headers: { 'content-range': range }, body: bytes.subarray(Number(from)) }
  }

  function upload(seen: SeenRequest, repository: string, id: string, body: Buffer): FaultAnswer {
    const { method, query, headers } = seen
    const at = (name: string) => `/v2/${repository}/blobs/uploads/${name}?state=a%2Bb`
    if (method === 'POST') {
      const mount = query.get('mount')
      if (mount && server.blobs.has(mount)) return { status: 201 }
      const name = randomUUID()
      server.uploads.set(name, Buffer.alloc(0))
      return { status: 202, headers: { location: at(name), range: '0-0' } }
    }
    const present = server.uploads.get(id)
    if (!present) return { status: 404, body: errors('BLOB_UPLOAD_UNKNOWN', 'no such upload') }
    const progress = (length: number) => ({
      location: at(id),
      range: `0-${Math.max(0, length - 1)}`,
    })
    if (method === 'GET') return { status: 204, headers: progress(present.length) }
    if (method === 'DELETE') {
      server.uploads.delete(id)
      return { status: 204 }
    }
    const start = /^(\d+)-/.exec(headers['content-range'] ?? '')?.[1]
    if (start !== undefined && Number(start) !== present.length) {
      return { status: 416, headers: progress(present.length) }
    }
    const whole = Buffer.concat([present, body])
    server.uploads.set(id, whole)
    if (method === 'PATCH') return { status: 202, headers: progress(whole.length) }
    const digest = query.get('digest') ?? ''
    if (digestOf(whole) !== digest) {
      return { status: 400, body: errors('DIGEST_INVALID', 'other bytes than the digest is of') }
    }
    server.uploads.delete(id)
    server.blobs.set(digest, whole)
    return { status: 201, headers: { location: `/v2/${repository}/blobs/${digest}` } }
  }

  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const address = listener.address()
  const port = typeof address === 'object' && address ? address.port : 0
  server.host = `127.0.0.1:${port}`
  server.url = `http://${server.host}`
  return server
}

const INDEX = { 'content-type': 'application/vnd.oci.image.index.v1+json' }

function emptyIndex(): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: INDEX['content-type'], manifests: [] })
}

function errors(code: string, message: string): string {
  return JSON.stringify({ errors: [{ code, message }] })
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece)
  return Buffer.concat(pieces)
}

function write(
  response: ServerResponse,
  { method }: SeenRequest,
  { status = 200, headers = {}, body = '', cutAfter }: FaultAnswer,
) {
  const bytes = Buffer.from(body as string)
  const length = status === 204 ? {} : { 'content-length': String(bytes.length) }
  response.writeHead(status, { ...length, ...headers })
  if (method === 'HEAD' || status === 204) return response.end()
  if (cutAfter === undefined) return response.end(bytes)
  response.write(bytes.subarray(0, cutAfter), () => {
    setTimeout(() => response.socket?.destroy(), 10)
  })
}

import { headerOf } from './reply-parser.ts'

const headEnd = '\r\n\r\n'
const bodyEnd = '0\r\n\r\n'
const zeros = Buffer.alloc(1024 * 1024)

type Talk = {
  /** Bytes of an incomplete head. */
  pending: Buffer
  /** Bytes of the body still to come; -1 while a chunked one runs. */
  left: number
  lastBytes: string
  /** Kept only for manifests, which are served again. */
  body: Buffer[] | null
  received: number
  request: string
  /** Bytes of zeros still to send. */
  owed: number
}

/**
 * The least that can answer the generator: no disk, no hash, no JSON, no check of anything. What
 * the generator reaches against it is the most that it could ever measure of a server.
 *
 * Prints the port it listens on.
 */
export function runResponder(): void {
  const blobs = new Map<string, number>()
  const manifests = new Map<string, Buffer>()
  const list = JSON.stringify({ tags: Array.from({ length: 100 }, (_, i) => `v0000000${i}`) })
  let sessions = 0

  const server = Bun.listen<Talk>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(socket) {
        socket.data = {
          pending: Buffer.alloc(0),
          left: 0,
          lastBytes: '',
          body: null,
          received: 0,
          request: '',
          owed: 0,
        }
        socket.setNoDelay(true)
      },
      data(socket, data) {
        receive(socket, data)
      },
      drain(socket) {
        send(socket)
      },
    },
  })
  process.stdout.write(`${server.port}\n`)

  function receive(socket: Bun.Socket<Talk>, data: Buffer): void {
    const talk = socket.data
    if (talk.left !== 0) {
      receiveBody(socket, data)
      return
    }
    const joined = talk.pending.length === 0 ? data : Buffer.concat([talk.pending, data])
    const end = joined.indexOf(headEnd)
    if (end < 0) {
      talk.pending = joined
      return
    }
    talk.pending = Buffer.alloc(0)
    begin(socket, joined.toString('latin1', 0, end), joined.subarray(end + headEnd.length))
  }

  function begin(socket: Bun.Socket<Talk>, head: string, rest: Buffer): void {
    const talk = socket.data
    const chunked = /\r\ntransfer-encoding:/i.test(head)
    talk.request = head.slice(0, head.indexOf(' HTTP/'))
    talk.left = chunked ? -1 : Number(headerOf(head, 'content-length') ?? 0)
    talk.received = 0
    talk.lastBytes = ''
    talk.body = talk.request.startsWith('PUT ') && talk.request.includes('/manifests/') ? [] : null
    if (talk.left === 0) {
      finish(socket)
      return
    }
    if (rest.length > 0) receiveBody(socket, rest)
  }

  function receiveBody(socket: Bun.Socket<Talk>, data: Buffer): void {
    const talk = socket.data
    talk.received += data.length
    talk.body?.push(data)
    if (talk.left > 0) {
      talk.left -= data.length
      if (talk.left === 0) finish(socket)
      return
    }
    // Five bytes at the very end of what has arrived: the generator sends nothing after them
    // until it is answered, and random bytes that look alike are one in 2^40.
    talk.lastBytes = (talk.lastBytes + data.subarray(-bodyEnd.length).toString('latin1')).slice(
      -bodyEnd.length,
    )
    if (talk.lastBytes === bodyEnd) {
      talk.left = 0
      finish(socket)
    }
  }

  function finish(socket: Bun.Socket<Talk>): void {
    socket.write(answer(socket.data))
    send(socket)
  }

  function send(socket: Bun.Socket<Talk>): void {
    const talk = socket.data
    while (talk.owed > 0) {
      const size = Math.min(talk.owed, zeros.length)
      const written = socket.write(zeros, 0, size)
      if (written <= 0) return
      talk.owed -= written
      if (written < size) return
    }
  }

  function answer(talk: Talk): string {
    const [method = '', path = ''] = talk.request.split(' ')
    const upload = path.indexOf('/blobs/uploads/')
    if (upload >= 0) {
      if (method === 'PUT') {
        blobs.set(path.slice(path.indexOf('digest=') + 'digest='.length), talk.received)
        return plain('201 Created', '')
      }
      sessions += 1
      const location = `${path.slice(0, upload)}/blobs/uploads/${sessions}`
      return `HTTP/1.1 202 Accepted\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`
    }
    if (path.includes('/manifests/')) return answerManifest(method, path, talk)
    const blob = path.indexOf('/blobs/')
    if (blob >= 0) {
      const size = blobs.get(path.slice(blob + '/blobs/'.length)) ?? 0
      if (method === 'GET') talk.owed = size
      return `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`
    }
    return plain('200 OK', path === '/v2/' ? '{}' : list)
  }

  function answerManifest(method: string, path: string, talk: Talk): string {
    if (method === 'DELETE') return plain('202 Accepted', '')
    if (method === 'PUT') {
      manifests.set(path, Buffer.concat(talk.body ?? []))
      return plain('201 Created', '')
    }
    const manifest = manifests.get(path)?.toString('latin1') ?? ''
    if (method === 'GET') return plain('200 OK', manifest)
    return `HTTP/1.1 200 OK\r\nContent-Length: ${manifest.length}\r\n\r\n`
  }
}

function plain(status: string, body: string): string {
  return `HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}

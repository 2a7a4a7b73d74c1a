import { afterAll, beforeAll, expect, test } from 'bun:test'
import { connect, type Socket } from 'node:net'
import { basic, createUser } from './admin-api.ts'
import { blobOf, createRawRegistry, type RawRegistry, randomBytes } from './raw-registry.ts'
import { type Credentials, type Server, startServer } from './server.ts'

/**
 * Clients on bad lines: an upload of 5 KB/s, one that pauses, a slow reader; all finish. One that is
 * dead is let go. ENTREPOT_SLOW_FULL=1 takes the times of the promise (ten minutes, four minutes,
 * ten minutes, five minutes); by default they are only as long as shows that the idle limit that an
 * HTTP server has unless told otherwise, and its least rate, do not end such a request.
 */
const full = process.env.ENTREPOT_SLOW_FULL === '1'
const seconds = full
  ? { upload: 600, pause: 240, read: 600, stall: 200, dead: 300 }
  : { upload: 45, pause: 40, read: 45, stall: 45, dead: 15 }
const uploadRate = 5_000
const readRate = 10_000
const limit = (seconds.read + seconds.stall + seconds.dead + 60) * 1000

let patient: Server
let strict: Server
let user: Credentials
let strictUser: Credentials

beforeAll(async () => {
  // Also where blobs are in a bucket they shall come from the server.
  const env = { ENTREPOT_STORAGE_S3_REDIRECT: 'never' }
  patient = await startServer({ env })
  // The watchdog's own limit, so that its test need not take the five minutes of the default.
  strict = await startServer({
    env: { ...env, ENTREPOT_UPLOADS_IDLE_TIMEOUT: `${seconds.dead}s` },
  })
  user = await createUser(patient, 'slow-user')
  strictUser = await createUser(strict, 'slow-user')
}, 240_000)

afterAll(async () => {
  await patient?.dispose()
  await strict?.dispose()
}, 60_000)

/** A connection with the head of one request sent on it, nothing hidden by an HTTP client. */
const open = async (
  server: Server,
  as: Credentials,
  method: string,
  target: string,
  headers: readonly string[] = [],
): Promise<Socket> => {
  const socket = connect({ host: '127.0.0.1', port: server.port })
  await new Promise<void>((done, failed) => {
    socket.once('connect', done)
    socket.once('error', failed)
  })
  socket.write(
    [
      `${method} ${target} HTTP/1.1`,
      `Host: ${server.host}`,
      `Authorization: ${basic(as)}`,
      ...headers,
      '\r\n',
    ].join('\r\n'),
  )
  return socket
}

/** The head of the answer, or what came of it before the other side closed. */
const answerOf = (socket: Socket): Promise<string> =>
  new Promise((done) => {
    let text = ''
    socket.on('data', (bytes) => {
      text += Buffer.from(bytes).toString('latin1')
      if (text.includes('\r\n\r\n')) done(text.slice(0, text.indexOf('\r\n\r\n')))
    })
    socket.on('error', () => done(text))
    socket.on('close', () => done(text))
  })

const startUpload = async (registry: RawRegistry, server: Server, name: string) => {
  const post = await registry.request('POST', `/v2/${name}/blobs/uploads/`)
  await post.arrayBuffer()
  expect(post.status).toBe(202)
  return new URL(post.headers.get('location') ?? '', server.url)
}

/** Commits the upload whose last answer named this location, and reads the blob back. */
const finish = async (
  registry: RawRegistry,
  server: Server,
  name: string,
  location: URL,
  blob: { digest: string },
) => {
  const target = new URL(location, server.url)
  target.searchParams.set('digest', blob.digest)
  const put = await registry.request('PUT', target.href)
  expect([put.status, await put.text()]).toEqual([201, ''])
  expect(blobOf(await registry.readBlob(name, blob.digest)).digest).toBe(blob.digest)
}

const locationIn = (head: string): string => /^location: *(\S+)/im.exec(head)?.[1] ?? ''

const upload = async (name: string, send: (socket: Socket, bytes: Uint8Array) => Promise<void>) => {
  const registry = createRawRegistry(patient.url, user)
  const blob = blobOf(randomBytes(uploadRate * seconds.upload))
  const location = await startUpload(registry, patient, name)
  const socket = await open(patient, user, 'PATCH', location.pathname + location.search, [
    'Content-Type: application/octet-stream',
    `Content-Length: ${blob.bytes.length}`,
  ])
  const answer = answerOf(socket)
  await send(socket, blob.bytes)
  const head = await answer
  socket.destroy()
  expect(head).toStartWith('HTTP/1.1 202')
  await finish(registry, patient, name, new URL(locationIn(head), patient.url), blob)
}

test.concurrent(
  `an upload of 5 KB/s for ${seconds.upload} s finishes`,
  () =>
    upload('slow/upload', async (socket, bytes) => {
      const step = uploadRate / 5
      for (let at = 0; at < bytes.length; at += step) {
        socket.write(bytes.subarray(at, at + step))
        await Bun.sleep(200)
      }
    }),
  limit,
)

test.concurrent(
  `an upload that pauses for ${seconds.pause} s finishes`,
  () =>
    upload('slow/pause', async (socket, bytes) => {
      const half = Math.floor(bytes.length / 2)
      socket.write(bytes.subarray(0, half))
      await Bun.sleep(seconds.pause * 1000)
      socket.write(bytes.subarray(half))
    }),
  limit,
)

/**
 * Reads a blob far larger than the kernel's buffers on both sides, so that the server has to wait;
 * after each piece `pauseFor` says for how many seconds nothing is read. Resolves to how much had
 * come when the last pause ended.
 */
const readWhole = async (name: string, pauseFor: (bytes: number) => number): Promise<number> => {
  const registry = createRawRegistry(patient.url, user)
  const blob = blobOf(randomBytes(48_000_000))
  await registry.pushBlob(name, blob)
  const path = `/v2/${name}/blobs/${blob.digest}`
  const socket = await open(patient, user, 'GET', path, ['Connection: close'])
  const hasher = new Bun.CryptoHasher('sha256')
  let head = ''
  let size = 0
  let readSlowly = 0
  await new Promise<void>((done, failed) => {
    socket.on('error', failed)
    socket.on('close', () => done())
    socket.on('data', (data) => {
      const bytes = Buffer.from(data)
      let body: Uint8Array = bytes
      if (!head.includes('\r\n\r\n')) {
        // The head may come in several pieces.
        const before = head.length
        head += bytes.toString('latin1')
        const end = head.indexOf('\r\n\r\n')
        body = end < 0 ? new Uint8Array() : bytes.subarray(end + 4 - before)
        if (end >= 0) head = head.slice(0, end + 4)
      }
      hasher.update(body)
      size += body.length
      if (size >= blob.bytes.length) socket.end()
      const pause = pauseFor(bytes.length)
      if (pause <= 0) return
      readSlowly = size
      socket.pause()
      setTimeout(() => socket.resume(), Math.ceil(pause * 1000))
    })
  })
  expect(head).toStartWith('HTTP/1.1 200')
  expect(head.toLowerCase()).toContain(`content-length: ${blob.bytes.length}\r\n`)
  expect(size).toBe(blob.bytes.length)
  expect(`sha256:${hasher.digest('hex')}`).toBe(blob.digest)
  return readSlowly
}

test.concurrent(
  `a blob read at 10 KB/s for ${seconds.read} s arrives whole`,
  async () => {
    const deadline = Date.now() + seconds.read * 1000
    const slow = await readWhole('slow/read', (bytes) =>
      Date.now() < deadline ? bytes / readRate : 0,
    )
    // Had the reader not been slow, this would have tested nothing.
    expect(slow).toBeLessThan(seconds.read * readRate * 2)
  },
  limit,
)

// At 10 KB/s the megabytes in the kernel's buffers take minutes, in which the server sees nothing
// move; this is that wait without the reading.
test.concurrent(
  `a blob whose reader stalls for ${seconds.stall} s arrives whole`,
  async () => {
    let stalled = false
    await readWhole('slow/stall', () => {
      const pause = stalled ? 0 : seconds.stall
      stalled = true
      return pause
    })
  },
  limit,
)

test.concurrent(
  `an upload that is dead for ${seconds.dead} s is let go and can be resumed`,
  async () => {
    const registry = createRawRegistry(strict.url, strictUser)
    const blob = blobOf(randomBytes(400_000))
    const sent = 150_000
    const location = await startUpload(registry, strict, 'slow/dead')
    const socket = await open(strict, strictUser, 'PATCH', location.pathname + location.search, [
      'Content-Type: application/octet-stream',
      `Content-Length: ${blob.bytes.length}`,
    ])
    const started = Date.now()
    const closed = new Promise<void>((done) => socket.once('close', () => done()))
    socket.on('error', () => {})
    socket.resume()
    socket.write(blob.bytes.subarray(0, sent))
    await closed
    const waited = (Date.now() - started) / 1000
    expect(waited).toBeGreaterThan(seconds.dead - 2)
    expect(waited).toBeLessThan(seconds.dead + 45)

    // The session is still there with some prefix of what was sent, and goes on from it.
    const state = await registry.request('GET', location.href)
    expect(state.status).toBe(204)
    const last = Number(/^(?:bytes=)?0-(\d+)$/.exec(state.headers.get('range') ?? '')?.[1] ?? -1)
    expect(last).toBeLessThan(sent)
    // `0-0` says nothing arrived or one byte did (distribution-spec has no other form for none).
    const from = last > 0 ? last + 1 : 0
    const next = new URL(state.headers.get('location') ?? location, strict.url)
    const patch = await registry.request('PATCH', next.href, {
      headers: {
        'content-type': 'application/octet-stream',
        'content-range': `${from}-${blob.bytes.length - 1}`,
      },
      body: blob.bytes.subarray(from),
    })
    expect([patch.status, await patch.text()]).toEqual([202, ''])
    const end = new URL(patch.headers.get('location') ?? '', strict.url)
    await finish(registry, strict, 'slow/dead', end, blob)
  },
  limit,
)

test.skipIf(!full)(
  'a reader that is dead is let go (only with ENTREPOT_SLOW_FULL=1)',
  async () => {
    const registry = createRawRegistry(strict.url, strictUser)
    const blob = blobOf(randomBytes(48_000_000))
    await registry.pushBlob('slow/dead-reader', blob)
    const path = `/v2/slow/dead-reader/blobs/${blob.digest}`
    const socket = await open(strict, strictUser, 'GET', path)
    socket.on('error', () => {})
    socket.pause()
    await Bun.sleep((seconds.dead + 120) * 1000)
    // What the kernel holds still comes; the end of the blob does not, as nobody sends it any more.
    let size = 0
    const ended = new Promise<void>((done) => socket.once('close', () => done()))
    socket.on('data', (bytes) => {
      size += bytes.length
    })
    socket.resume()
    await Promise.race([ended, Bun.sleep(30_000)])
    socket.destroy()
    expect(size).toBeLessThan(blob.bytes.length)
  },
  limit,
)

import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { randomBytes } from 'node:crypto'
import { createGuardedFetch } from '../lib/guarded-fetch.ts'
import {
  digestOf,
  type FaultServer,
  type SeenRequest,
  startFaultServer,
} from './test-fault-server.ts'
import { bytesOf, failureOf, loopbackFetch, remoteOf, type TestRemote } from './test-remote.ts'

/* Reading blobs from registries that break, lie, or send one elsewhere. */

let server: FaultServer
let storage: FaultServer
let remote: TestRemote
const bytes = randomBytes(300_000)
const blob = { digest: digestOf(bytes), size: bytes.length }
const keys = { accessKey: 'robot', secretKey: 'pl4nted-secret' }

beforeAll(async () => {
  server = await startFaultServer()
  storage = await startFaultServer()
  server.blobs.set(blob.digest, bytes)
})
afterAll(async () => {
  await server.stop()
  await storage.stop()
})
beforeEach(() => {
  server.seen.length = 0
  storage.seen.length = 0
  server.fault = () => undefined
  remote = remoteOf(server.url, { endpoint: keys })
})

const isBlob = ({ method, path }: SeenRequest) => method === 'GET' && path.includes('/blobs/')
const ranges = () => server.seen.filter(isBlob).map(({ headers }) => headers.range)
const read = async (offset?: number) =>
  bytesOf(await remote.registry.readBlob('a', blob, { offset }))

test('comes whole, or from an offset on', async () => {
  expect(await read()).toEqual(bytes)
  expect(await read(100_000)).toEqual(bytes.subarray(100_000))
  expect(await read(bytes.length)).toHaveLength(0)
  const empty = { digest: digestOf(''), size: 0 }
  server.blobs.set(empty.digest, Buffer.alloc(0))
  expect(await bytesOf(await remote.registry.readBlob('a', empty))).toHaveLength(0)
})

test('that is not there is an error of the call', async () => {
  const failure = await failureOf(remote.registry.readBlob('a', { digest: digestOf('x'), size: 1 }))
  expect(failure).toMatchObject({ code: 'blob_unknown' })
})

test('goes on where the connection broke, again and again', async () => {
  let cuts = 0
  server.fault = (request) => {
    const from = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0)
    if (!isBlob(request) || ++cuts > 3) return undefined
    const rest = bytes.subarray(from)
    const range = { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }
    return { status: from ? 206 : 200, headers: from ? range : {}, body: rest, cutAfter: 60_000 }
  }
  expect(await read()).toEqual(bytes)
  expect(ranges()).toHaveLength(4)
  const starts = ranges().map((range) => Number(/\d+/.exec(range ?? '0')?.[0]))
  expect(starts).toEqual([...starts].sort((a, b) => a - b))
  expect(starts.at(-1)).toBeGreaterThan(100_000)
})

test('goes on with a registry that knows no ranges', async () => {
  let isFirst = true
  server.fault = (request) => {
    if (!isBlob(request)) return undefined
    const answer = isFirst ? { body: bytes, cutAfter: 60_000 } : { body: bytes }
    isFirst = false
    return answer
  }
  expect(await read()).toEqual(bytes)
})

test('breaks for good after five times without progress', async () => {
  server.fault = (request) => (isBlob(request) ? { body: bytes, cutAfter: 0 } : undefined)
  expect(await failureOf(read())).toMatchObject({ code: 'remote_unreachable', problem: 'closed' })
  expect(ranges()).toHaveLength(5)
})

test.each([
  ['a length too small', { body: bytes.subarray(1) }],
  ['a length too large', { body: Buffer.concat([bytes, bytes]) }],
  ['a length of nothing', { body: '' }],
])('%s is found out before anything is read', async (_, answer) => {
  server.fault = (request) => (isBlob(request) ? answer : undefined)
  const failure = await failureOf(remote.registry.readBlob('a', blob))
  expect(failure).toMatchObject({ code: 'remote_error', problem: 'size' })
})

test('other bytes of the same length are found out at the end', async () => {
  server.fault = (request) => (isBlob(request) ? { body: randomBytes(bytes.length) } : undefined)
  expect(await failureOf(read())).toMatchObject({ code: 'remote_error', problem: 'digest' })
})

test('more than there should be is found out, whatever was announced', async () => {
  const other = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: () =>
      new Response(
        new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(100_000)) }),
      ),
  })
  const { registry } = remoteOf(`http://127.0.0.1:${other.port}`)
  const failure = await failureOf(registry.readBlob('a', blob).then(bytesOf))
  expect(failure).toMatchObject({ code: 'remote_error', problem: 'size' })
  await other.stop(true)
})

test('another part than was asked for is not taken', async () => {
  const headers = { 'content-range': `bytes 0-${bytes.length - 1}/${bytes.length}` }
  server.fault = (request) => (isBlob(request) ? { status: 206, headers, body: bytes } : undefined)
  const failure = await failureOf(remote.registry.readBlob('a', blob, { offset: 5 }))
  expect(failure).toMatchObject({ code: 'remote_error', problem: 'size' })
})

test('from where the registry sends one, which gets no login', async () => {
  server.wants = (header) => header !== undefined
  storage.blobs.set(blob.digest, bytes)
  const location = `${storage.url}/v2/a/blobs/${blob.digest}?X-Signature=secret`
  server.fault = (request) => (isBlob(request) ? { status: 307, headers: { location } } : undefined)
  expect(await read()).toEqual(bytes)
  expect(storage.seen.map(({ headers }) => headers.authorization)).toEqual([undefined])
  expect(ranges()).toHaveLength(1)
  storage.fault = () => ({ status: 403, body: '<Error>AccessDenied</Error>' })
  const failure = await failureOf(read())
  expect(failure.message).toContain(storage.host)
  expect(JSON.stringify(failure)).not.toContain('secret')
  storage.fault = () => undefined
  server.wants = undefined
})

test.each([
  ['http://169.254.169.254/latest/meta-data', 'address_refused'],
  ['http://10.0.0.1/', 'address_refused'],
  ['http://[::ffff:10.0.0.1]:5000/', 'address_refused'],
  ['file:///etc/passwd', 'invalid_input'],
  ['ftp://127.0.0.1/', 'invalid_input'],
])('not from %s', async (location, code) => {
  server.fault = (request) => (isBlob(request) ? { status: 302, headers: { location } } : undefined)
  expect(await failureOf(read())).toMatchObject({ code })
})

test('from 127.0.0.1 only where that is allowed', async () => {
  const location = storage.url.replace('127.0.0.1', '127.0.0.5')
  server.fault = (request) => (isBlob(request) ? { status: 302, headers: { location } } : undefined)
  const fetch = createGuardedFetch({ allowedNetworks: ['127.0.0.1'] })
  const { registry } = remoteOf(server.url, { fetch })
  const failure = await failureOf(registry.readBlob('a', blob))
  expect(failure).toMatchObject({ code: 'address_refused', kind: 'loopback' })
})

test('a server that goes silent is given up, and the next reader is served', async () => {
  const slow = remoteOf(server.url, {
    fetch: (url, options) => loopbackFetch(url, { ...options, limits: { answer: 50, idle: 50 } }),
    patience: { tries: 2 },
  })
  server.fault = (request) => (isBlob(request) ? { hang: true } : undefined)
  const failure = await failureOf(slow.registry.readBlob('a', blob))
  expect(failure).toMatchObject({ code: 'remote_unreachable', problem: 'timeout' })
  server.fault = () => undefined
  expect(await bytesOf(await slow.registry.readBlob('a', blob))).toEqual(bytes)
})

test('is looked up with HEAD, or by its first byte', async () => {
  const { registry } = remote
  expect(await registry.hasBlob('a', blob.digest)).toBe(true)
  expect(await registry.hasBlob('a', digestOf('x'))).toBe(false)
  server.fault = ({ method }) => (method === 'HEAD' ? { status: 405 } : undefined)
  expect(await registry.hasBlob('a', blob.digest)).toBe(true)
  expect(await registry.hasBlob('a', digestOf('x'))).toBe(false)
  expect(ranges()).toEqual(['bytes=0-0', 'bytes=0-0'])
})

test('is looked up by its first byte where the storage signs for GET only', async () => {
  storage.blobs.set(blob.digest, bytes)
  storage.fault = ({ method }) => (method === 'HEAD' ? { status: 403 } : undefined)
  const location = `${storage.url}/v2/a/blobs/${blob.digest}?X-Signature=secret`
  server.fault = ({ path }) =>
    path.includes('/blobs/') ? { status: 307, headers: { location } } : undefined
  expect(await remote.registry.hasBlob('a', blob.digest)).toBe(true)
  expect(storage.seen.map(({ method }) => method)).toEqual(['HEAD', 'GET'])
  storage.fault = () => undefined
})

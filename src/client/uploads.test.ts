import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { randomBytes } from 'node:crypto'
import {
  digestOf,
  type FaultAnswer,
  type FaultServer,
  startFaultServer,
} from './test-fault-server.ts'
import { failureOf, opened, remoteOf, type TestRemote } from './test-remote.ts'

/* Sending blobs to registries that break, forget, or want it in another way. */

let server: FaultServer
let stranger: FaultServer
let remote: TestRemote
const bytes = randomBytes(300_000)
const blob = { digest: digestOf(bytes), size: bytes.length }

beforeAll(async () => {
  server = await startFaultServer()
  stranger = await startFaultServer()
})
afterAll(async () => {
  await server.stop()
  await stranger.stop()
})
beforeEach(() => {
  server.seen.length = 0
  stranger.seen.length = 0
  server.blobs.clear()
  server.uploads.clear()
  server.fault = () => undefined
  remote = remoteOf(server.url)
})

const methods = () => server.seen.slice(1).map(({ method }) => method)
const arrived = () => server.blobs.get(blob.digest)?.equals(bytes) ?? false
/** The first requests of `method` fail so. */
function failFirst(method: string, ...answers: FaultAnswer[]) {
  const left = [...answers]
  server.fault = (request) => (request.method === method ? left.shift() : undefined)
}

test('in one request, its length announced, told as it goes', async () => {
  const told: number[] = []
  const onProgress = (sent: number) => told.push(sent)
  await remote.registry.writeBlob('a', blob, opened(bytes), { onProgress })
  expect(arrived()).toBe(true)
  expect(methods()).toEqual(['POST', 'PUT'])
  const { headers, query } = server.seen.at(-1) ?? {}
  expect(headers?.['content-length']).toBe('300000')
  expect(headers?.['transfer-encoding']).toBeUndefined()
  // What the registry put into its address is still there.
  expect([query?.get('state'), query?.get('digest')]).toEqual(['a+b', blob.digest])
  expect(told.at(-1)).toBe(300_000)
  expect(told).toEqual([...told].sort((a, b) => a - b))
})

test('of no bytes too', async () => {
  await remote.registry.writeBlob('a', { digest: digestOf(''), size: 0 }, opened(Buffer.alloc(0)))
  expect(server.blobs.get(digestOf(''))?.length).toBe(0)
})

test('in pieces, which are at least as large as the registry wants, of one stream', async () => {
  const opens: number[] = []
  const chunked = remoteOf(server.url, { provider: { chunkSize: 70_000 } })
  await chunked.registry.writeBlob(
    'a',
    blob,
    opened(bytes, (at) => opens.push(at)),
  )
  expect(arrived()).toBe(true)
  const pieces = () =>
    server.seen
      .filter(({ method }) => method === 'PATCH')
      .map(({ headers }) => headers['content-range'])
  expect(pieces()).toEqual([
    '0-69999',
    '70000-139999',
    '140000-209999',
    '210000-279999',
    '280000-299999',
  ])
  expect(opens).toEqual([0])
  server.seen.length = 0
  const location = '/v2/a/blobs/uploads/mine'
  server.uploads.set('mine', Buffer.alloc(0))
  failFirst('POST', { status: 202, headers: { location, 'oci-chunk-min-length': '200000' } })
  await chunked.registry.writeBlob('a', blob, opened(bytes))
  expect(pieces()).toEqual(['0-199999', '200000-299999'])
})

test('in one PATCH and an empty PUT where that is the way', async () => {
  const { registry } = remoteOf(server.url, { provider: { uploadByPatch: true } })
  await registry.writeBlob('a', blob, opened(bytes))
  expect(arrived()).toBe(true)
  expect(methods()).toEqual(['POST', 'PATCH', 'PUT'])
  expect(server.seen.at(-1)?.headers['content-length']).toBe('0')
  expect(server.seen.at(-2)?.headers['content-range']).toBeUndefined()
})

test('is given up after five failures, and the upload cancelled', async () => {
  failFirst('PUT', ...Array<FaultAnswer>(9).fill({ status: 500 }))
  const failure = await failureOf(remote.registry.writeBlob('a', blob, opened(bytes)))
  expect(failure).toMatchObject({ code: 'remote_error', problem: 'server', status: 500 })
  expect(methods().filter((method) => method === 'PUT')).toHaveLength(5)
  expect(methods().at(-1)).toBe('DELETE')
  expect(server.uploads.size).toBe(0)
})

test('is given up at once when the registry refuses it', async () => {
  const body = '{"errors":[{"code":"DENIED","message":"quota exceeded"}]}'
  failFirst('PUT', { status: 403, body })
  const denied = await failureOf(remote.registry.writeBlob('a', blob, opened(bytes)))
  expect(denied).toMatchObject({ code: 'remote_denied', problem: 'permission' })
  expect(denied.message).toContain('DENIED: quota exceeded')
  const wrong = { digest: digestOf('other'), size: bytes.length }
  const failure = await failureOf(remote.registry.writeBlob('a', wrong, opened(bytes)))
  expect(failure).toMatchObject({ remoteCodes: ['DIGEST_INVALID'] })
  expect(server.uploads.size).toBe(0)
})

test('a source that fails, or ends too early, is not the fault of the registry', async () => {
  const broken = async () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(bytes.subarray(0, 1000))
        controller.error(new Error('the source broke'))
      },
    })
  for (let i = 0; i < 12; i++) {
    await expect(remote.registry.writeBlob('a', blob, broken)).rejects.toThrow('the source broke')
  }
  const short = remote.registry.writeBlob('a', blob, opened(bytes.subarray(0, 1000)))
  expect(await failureOf(short)).toMatchObject({ code: 'size_invalid' })
  expect(server.uploads.size).toBe(0)
  // The registry is still asked.
  await remote.registry.writeBlob('a', blob, opened(bytes))
  expect(arrived()).toBe(true)
})

test.each([
  ['another host', () => `${stranger.url.replace('127.0.0.1', 'localhost')}/x`, 'redirect'],
  ['an inner address', () => 'http://169.254.169.254/x', 'redirect'],
  ['no address', () => 'http://', 'answer'],
])('nothing is sent to a Location at %s', async (_, location, problem) => {
  failFirst('POST', { status: 202, headers: { location: location() } })
  const failure = await failureOf(remote.registry.writeBlob('a', blob, opened(bytes)))
  expect(failure).toMatchObject({ code: 'remote_error', problem })
  expect(stranger.seen).toEqual([])
})

test('a redirected PUT is not followed', async () => {
  failFirst('PUT', { status: 307, headers: { location: `${stranger.url}/x` } })
  const failure = await failureOf(remote.registry.writeBlob('a', blob, opened(bytes)))
  expect(failure).toMatchObject({ code: 'remote_error', problem: 'redirect' })
  expect(stranger.seen).toEqual([])
})

test('mounts, or says that it has to be sent and leaves nothing behind', async () => {
  const { registry } = remote
  expect(await registry.mountBlob('a', blob.digest, 'b')).toBe(false)
  expect(server.uploads.size).toBe(0)
  server.blobs.set(blob.digest, bytes)
  expect(await registry.mountBlob('a', blob.digest, 'b')).toBe(true)
  expect(await registry.mountBlob('a', blob.digest, undefined)).toBe(true)
  const queries = server.seen.filter(({ method }) => method === 'POST').map(({ query }) => query)
  expect(queries.map((query) => query.get('from'))).toEqual(['b', 'b', null])
  failFirst('POST', { status: 403 }, { status: 405 })
  expect(await registry.mountBlob('a', blob.digest, 'b')).toBe(false)
  expect(await registry.mountBlob('a', blob.digest, 'b')).toBe(false)
})

test('a large one needs little memory', async () => {
  const size = 400_000_000
  const piece = new Uint8Array(1_000_000)
  let received = 0
  const sink = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    maxRequestBodySize: size * 2,
    async fetch(request) {
      if (request.method === 'GET') return new Response('{}')
      if (request.method !== 'PUT') {
        return new Response(null, { status: 202, headers: { location: '/v2/a/blobs/uploads/1' } })
      }
      if (request.body) for await (const part of request.body) received += part.length
      return new Response(null, { status: 201 })
    },
  })
  const { registry } = remoteOf(`http://127.0.0.1:${sink.port}`)
  Bun.gc(true)
  const before = process.memoryUsage().rss
  let most = before
  await registry.writeBlob('a', { digest: digestOf('any'), size }, async () => {
    let sent = 0
    return new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent >= size) return controller.close()
        sent += piece.length
        if (sent % 10_000_000 === 0) most = Math.max(most, process.memoryUsage().rss)
        controller.enqueue(piece)
      },
    })
  })
  await sink.stop(true)
  expect(received).toBe(size)
  // Both ends are in this process; a body that were kept would be all of it.
  expect(most - before).toBeLessThan(size * 0.75)
})

test('an upload is opened and cancelled to see whether one may push', async () => {
  await remote.registry.tryUpload('a')
  expect(methods()).toEqual(['POST', 'DELETE'])
  expect(server.uploads.size).toBe(0)
  failFirst('POST', { status: 403 })
  expect(await failureOf(remote.registry.tryUpload('a'))).toMatchObject({ problem: 'permission' })
})

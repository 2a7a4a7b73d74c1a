import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { randomBytes } from 'node:crypto'
import {
  digestOf,
  type FaultAnswer,
  type FaultServer,
  startFaultServer,
} from './test-fault-server.ts'
import { opened, remoteOf, type TestRemote } from './test-remote.ts'

/* Uploads that break on the way: gone on with where they stand, here or in another process. */

let server: FaultServer
let remote: TestRemote
const bytes = randomBytes(300_000)
const blob = { digest: digestOf(bytes), size: bytes.length }

beforeAll(async () => {
  server = await startFaultServer()
})
afterAll(() => server.stop())
beforeEach(() => {
  server.seen.length = 0
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

test('goes on from where the registry has it when the connection breaks', async () => {
  const opens: number[] = []
  failFirst('PUT', { takeOnly: 123_456 })
  await remote.registry.writeBlob(
    'a',
    blob,
    opened(bytes, (at) => opens.push(at)),
  )
  expect(arrived()).toBe(true)
  expect(opens).toEqual([0, 123_456])
  expect(methods()).toEqual(['POST', 'PUT', 'HEAD', 'GET', 'PATCH', 'PUT'])
})

test('in pieces too, and the piece that broke is sent from its middle', async () => {
  const { registry } = remoteOf(server.url, { provider: { chunkSize: 100_000 } })
  const opens: number[] = []
  let patches = 0
  server.fault = ({ method }) =>
    method === 'PATCH' && ++patches === 2 ? { takeOnly: 40_000 } : undefined
  await registry.writeBlob(
    'a',
    blob,
    opened(bytes, (at) => opens.push(at)),
  )
  expect(arrived()).toBe(true)
  expect(opens).toEqual([0, 140_000])
})

test('begins anew when the registry has forgotten the upload, or cannot say', async () => {
  for (const status of [404, 405]) {
    server.blobs.clear()
    let puts = 0
    server.fault = ({ method, path }) => {
      if (method === 'PUT') return ++puts === 1 ? { status: 500 } : undefined
      return method === 'GET' && path.includes('/uploads/') ? { status } : undefined
    }
    await remote.registry.writeBlob('a', blob, opened(bytes))
    expect(arrived()).toBe(true)
    expect(methods()).toEqual(['POST', 'PUT', 'HEAD', 'GET', 'DELETE', 'POST', 'PUT'])
    server.seen.length = 1
  }
})

test('a lost answer does not send it again', async () => {
  server.fault = ({ method }) => {
    if (method !== 'PUT') return undefined
    server.blobs.set(blob.digest, bytes)
    return { status: 502 }
  }
  await remote.registry.writeBlob('a', blob, opened(bytes))
  expect(methods()).toEqual(['POST', 'PUT', 'HEAD'])
})

test('an empty upload says 0-0, and is not taken for one of one byte', async () => {
  failFirst('PUT', { takeOnly: 0, status: 503 })
  failFirst('PUT', { status: 503 })
  await remote.registry.writeBlob('a', blob, opened(bytes))
  expect(arrived()).toBe(true)
  expect(methods()).toEqual(['POST', 'PUT', 'HEAD', 'GET', 'PUT'])
})

test('a piece at the wrong place is sent where the registry wants it', async () => {
  const { registry } = remoteOf(server.url, { provider: { chunkSize: 100_000 } })
  let patches = 0
  server.fault = ({ method, path }) => {
    if (method !== 'PATCH' || ++patches !== 2) return undefined
    const id = path.split('/').at(-1) ?? ''
    server.uploads.set(id, bytes.subarray(0, 70_000) as Buffer)
    return { status: 416 }
  }
  await registry.writeBlob('a', blob, opened(bytes))
  expect(arrived()).toBe(true)
})

test('goes on in another process, by the name that was told', async () => {
  const names: string[] = []
  const controller = new AbortController()
  const chunked = { provider: { chunkSize: 100_000 } }
  let patches = 0
  server.fault = ({ method }) => {
    if (method === 'PATCH' && ++patches === 2) controller.abort(new Error('killed'))
    return undefined
  }
  const onSession = (name: string) => void names.push(name)
  const { signal } = controller
  const first = remoteOf(server.url, chunked).registry
  await expect(first.writeBlob('a', blob, opened(bytes), { signal, onSession })).rejects.toThrow(
    'killed',
  )
  expect(methods()).not.toContain('DELETE')

  server.seen.length = 0
  const opens: number[] = []
  const second = remoteOf(server.url, chunked).registry
  const session = names.at(-1)
  await second.writeBlob(
    'a',
    blob,
    opened(bytes, (at) => opens.push(at)),
    { session, onSession },
  )
  expect(arrived()).toBe(true)
  expect(methods()).not.toContain('POST')
  expect(opens[0]).toBeGreaterThanOrEqual(100_000)
})

test('what a killed process had on its way is not followed by the same bytes again', async () => {
  const { promise, resolve } = Promise.withResolvers<string>()
  const controller = new AbortController()
  server.fault = ({ method }) => {
    if (method !== 'PATCH') return undefined
    controller.abort(new Error('killed'))
    // What it sent is counted when the test says so.
    return { hang: true }
  }
  const { signal } = controller
  const killed = remote.registry.writeBlob('a', blob, opened(bytes), { signal, onSession: resolve })
  await expect(killed).rejects.toThrow('killed')
  const session = await promise
  const id = new URL(session.split(' ')[1] ?? '').pathname.split('/').at(-1) ?? ''

  // Asked for before its bytes are counted, the upload seems empty; then they are there.
  let asked = 0
  server.uploads.set(id, Buffer.alloc(0))
  server.fault = ({ method }) => {
    if (method === 'PATCH' && ++asked === 1) {
      server.uploads.set(id, Buffer.from(bytes.subarray(0, 70_000)))
    }
    return undefined
  }
  const second = remoteOf(server.url).registry
  await second.writeBlob('a', blob, opened(bytes), { session, onSession: () => {} })
  expect(asked).toBe(2)
  expect(arrived()).toBe(true)
})

test.each(['nonsense', '0 http://169.254.169.254/x', '0 https://elsewhere.test/x', 'gone'])(
  'a name that is of no use (%s) is replaced without an error',
  async (name) => {
    const session = name === 'gone' ? `0 ${server.url}/v2/a/blobs/uploads/gone` : name
    await remote.registry.writeBlob('a', blob, opened(bytes), { session })
    expect(arrived()).toBe(true)
  },
)

test('a token that ends on the way is got anew', async () => {
  let refusals = 0
  server.challenge = `Bearer realm="${server.url}/token",service="test"`
  let tokens = 0
  server.wants = (header) => header === `Bearer t${tokens}`
  server.fault = ({ path, method }) => {
    if (path === '/token') return { body: JSON.stringify({ token: `t${++tokens}` }) }
    if (method !== 'PATCH' || ++refusals !== 2) return undefined
    return { status: 401, headers: { 'www-authenticate': server.challenge } }
  }
  const { registry } = remoteOf(server.url, { provider: { chunkSize: 100_000 } })
  await registry.writeBlob('a', blob, opened(bytes))
  server.wants = undefined
  server.challenge = 'Basic realm="test"'
  expect(arrived()).toBe(true)
  expect(tokens).toBeGreaterThan(1)
})

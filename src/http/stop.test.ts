import { afterEach, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { once } from 'node:events'
import { connect } from 'node:net'
import { digestOf, pushBlob, randomBlob } from './test-content.ts'
import { startTestServer, type TestServer } from './test-server.ts'

setDefaultTimeout(60_000)

/** Far below the grace of 30 seconds, far above what a stop takes on a busy machine. */
const SOON_MS = 10_000

let server: TestServer
beforeEach(async () => {
  server = await startTestServer()
})
afterEach(() => server.stop())

test('connections without a request do not hold up a stop', async () => {
  const bytes = randomBlob(2_000_000)
  const refused = server.connect()
  const path = `/v2/team/a/blobs/uploads/?digest=${digestOf(bytes)}`
  // The answer is there before the body; such a connection never counts as idle for Bun.
  expect((await refused.request('POST', path, { body: bytes })).status).toBe(401)
  const idle = server.connect()
  await idle.request('GET', '/v2/')
  const silent = server.connect()
  silent.send('GET /v2/ HT')
  const startedAt = Date.now()
  await server.shutDown()
  expect(Date.now() - startedAt).toBeLessThan(SOON_MS)
})

test('an answer that a slow client still reads comes to its end', async () => {
  const bytes = randomBlob(30_000_000)
  const digest = await pushBlob(server.connect(), server.admin, 'team/a', bytes)
  const socket = connect({ host: '127.0.0.1', port: server.port })
  socket.write(
    `GET /v2/team/a/blobs/${digest} HTTP/1.1\r\nHost: a\r\nAuthorization: ${server.admin}\r\n\r\n`,
  )
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'data')
  socket.pause()
  const stopped = server.shutDown()
  await Bun.sleep(1_000)
  socket.resume()
  await once(socket, 'close')
  const answer = Buffer.concat(chunks)
  expect(answer.subarray(answer.indexOf('\r\n\r\n') + 4).equals(bytes)).toBeTrue()
  await stopped
})

test('an upload that is under way is taken', async () => {
  const bytes = randomBlob(100_000)
  const wire = server.connect()
  wire.send(
    `POST /v2/team/a/blobs/uploads/?digest=${digestOf(bytes)} HTTP/1.1\r\nHost: a\r\n` +
      `Authorization: ${server.admin}\r\nContent-Length: ${bytes.length}\r\n\r\n`,
  )
  wire.send(bytes.subarray(0, 50_000))
  await Bun.sleep(500)
  const stopped = server.shutDown()
  await Bun.sleep(1_000)
  wire.send(bytes.subarray(50_000))
  expect((await wire.receive('POST'))?.status).toBe(201)
  await stopped
})

test('when a stop is near, connections end with their next answer, and nothing is lost', async () => {
  const leaving = await startTestServer({ ENTREPOT_SHUTDOWN_DELAY: '5m' })
  const { admin: as } = leaving
  const post = '/v2/team/a/blobs/uploads/'
  const [kept, pushing, refused] = [leaving.connect(), leaving.connect(), leaving.connect()]
  expect((await kept.request('GET', '/v2/')).header('connection')).not.toBe('close')
  const bytes = randomBlob(2_000_000)
  const half = bytes.length / 2
  pushing.send(
    `POST ${post}?digest=${digestOf(bytes)} HTTP/1.1\r\nHost: a\r\n` +
      `Authorization: ${as}\r\nContent-Length: ${bytes.length}\r\n\r\n`,
  )
  pushing.send(bytes.subarray(0, half))

  const stopping = leaving.shutDown()
  for (;;) {
    const answer = await leaving.connect().request('GET', '/v2/', { as })
    expect(answer.status).toBe(200)
    if (answer.header('connection') === 'close') break
    await Bun.sleep(20)
  }
  expect((await kept.request('GET', '/v2/', { as })).header('connection')).toBe('close')
  expect(await kept.receive()).toBeUndefined()
  pushing.send(bytes.subarray(half))
  expect((await pushing.receive('POST'))?.status).toBe(201)
  expect(await pushing.receive()).toBeUndefined()
  // It comes before the body, which a client goes on sending until it has read it.
  const early = await refused.request('POST', post, { body: bytes })
  expect([early.status, early.header('connection')]).toEqual([401, undefined])
  expect((await refused.request('GET', '/v2/', { as })).status).toBe(200)

  // A second signal waits for nothing.
  await leaving.stop()
  await stopping
})

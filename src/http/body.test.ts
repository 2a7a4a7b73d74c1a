import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { digestOf, OCI_MANIFEST, randomBlob } from './test-content.ts'
import { errorOf } from './test-form.ts'
import { basic, PASSWORD, startTestServer, type TestServer } from './test-server.ts'
import type { Wire } from './test-wire.ts'

setDefaultTimeout(60_000)

let server: TestServer
let admin: string
beforeAll(async () => {
  server = await startTestServer()
  admin = server.admin
  await server.accounts.users.create({ name: 'carol', password: PASSWORD })
})
afterAll(() => server.stop())

const MIB = 1024 * 1024
const uploads = '/v2/team/a/blobs/uploads/'

async function started(wire: Wire): Promise<string> {
  const answer = await wire.request('POST', uploads, { as: admin })
  return answer.header('location') ?? ''
}

describe('a body that nobody reads', () => {
  const big = randomBlob(24 * MIB)
  const wrong = digestOf('wrong')

  // [what, status, method, path, Authorization, further headers]
  const refusals = [
    ['without credentials', 401, 'POST', `${uploads}?digest=${wrong}`, () => undefined],
    ['with a bad token', 401, 'PUT', `${uploads}some-id?digest=${wrong}`, () => 'Bearer x'],
    ['without the right', 403, 'PATCH', '/v2/library/x/blobs/uploads/id', () => basic('carol')],
    ['for a bad digest', 400, 'POST', `${uploads}?digest=sha256:bad`, () => admin],
    ['for no upload', 404, 'PATCH', `${uploads}no-such-upload`, () => admin],
    ['too large', 413, 'PUT', '/v2/team/a/manifests/latest', () => admin],
    ['to no method', 405, 'PATCH', '/v2/team/a/manifests/latest', () => admin],
    ['to no place', 404, 'PUT', '/nowhere', () => admin],
  ] as const

  test.each(refusals)('%s is answered %d, and the connection is used again', async (...refusal) => {
    const [, status, method, path, as] = refusal
    const wire = server.connect()
    // Announced, chunked, and announced again: the third request shows that nothing is left over.
    for (const streamed of [false, true, false]) {
      const body = streamed
        ? Buffer.concat([
            Buffer.from(`${big.length.toString(16)}\r\n`),
            big,
            Buffer.from('\r\n0\r\n\r\n'),
          ])
        : big
      const headers = streamed ? { 'transfer-encoding': 'chunked' } : {}
      const answer = await wire.request(method, path, { as: as() as string, headers, body })
      expect([streamed, answer.status]).toEqual([streamed, status])
      const next = await wire.request('GET', '/v2/', { as: admin })
      expect(next.status).toBe(200)
    }
    wire.close()
  })

  test('out of place is 416, and the session can go on over the same connection', async () => {
    const wire = server.connect()
    const location = await started(wire)
    const headers = { 'content-range': `5-${big.length + 4}` }
    const refused = await wire.request('PATCH', location, { as: admin, headers, body: big })
    expect(refused.status).toBe(416)
    const done = await wire.request('PUT', `${location}?digest=${digestOf(big)}`, {
      as: admin,
      body: big,
    })
    expect(done.status).toBe(201)
    wire.close()
  })

  test('is refused before it is sent where the client waits for that', async () => {
    const wire = server.connect()
    const head = `POST ${uploads}?digest=${wrong} HTTP/1.1\r\nHost: a\r\n`
    wire.send(`${head}Content-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n`)
    let answer = await wire.receive('POST')
    // 100 first is legal too (RFC 9110 section 10.1.1), as long as the refusal follows at once.
    if (answer?.status === 100) answer = await wire.receive('POST')
    expect(answer?.status).toBe(401)
    wire.close()
  })
})

describe('a body', () => {
  test('after Expect: 100-continue arrives', async () => {
    const wire = server.connect()
    const bytes = randomBlob(100_000)
    const digest = digestOf(bytes)
    wire.send(
      `POST ${uploads}?digest=${digest} HTTP/1.1\r\nHost: a\r\nAuthorization: ${admin}\r\n` +
        `Content-Length: ${bytes.length}\r\nExpect: 100-continue\r\n\r\n`,
    )
    expect((await wire.receive('POST'))?.status).toBe(100)
    wire.send(bytes)
    expect((await wire.receive('POST'))?.status).toBe(201)
    wire.close()
  })

  test.each([
    ['Content-Length', 'Content-Length: 9000'],
    ['chunks', 'Transfer-Encoding: chunked'],
  ])('that breaks off in the midst of its %s is not taken for a whole one', async (_, framing) => {
    const bytes = randomBlob(8_000)
    const wire = server.connect()
    const location = await started(wire)
    const part = framing.startsWith('T') ? `1f40\r\n${bytes.toString('latin1')}\r\n` : bytes
    wire.send(
      `PUT ${location}?digest=${digestOf(bytes)} HTTP/1.1\r\nHost: a\r\n` +
        `Authorization: ${admin}\r\n${framing}\r\n\r\n`,
    )
    wire.send(typeof part === 'string' ? Buffer.from(part, 'latin1') : part)
    await Bun.sleep(300)
    wire.close()
    await Bun.sleep(300)
    const other = server.connect()
    const path = `/v2/team/a/blobs/${digestOf(bytes)}`
    expect((await other.request('HEAD', path, { as: admin })).status).toBe(404)
    // The session is there still, and whole again with all the bytes.
    const state = await other.request('GET', location, { as: admin })
    expect(state.status).toBe(204)
    const offset = Number(/^0-(\d+)$/.exec(state.header('range') ?? '')?.[1])
    const from = offset === 0 ? 0 : offset + 1
    const done = await other.request('PUT', `${location}?digest=${digestOf(bytes)}`, {
      as: admin,
      body: bytes.subarray(from),
    })
    expect(done.status).toBe(201)
    other.close()
  })

  test('of bad chunks is refused, and what came before is kept out', async () => {
    const wire = server.connect()
    const location = await started(wire)
    wire.send(
      `PUT ${location}?digest=${digestOf('hello')} HTTP/1.1\r\nHost: a\r\nAuthorization: ${admin}\r\n` +
        'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n\r\n',
    )
    const answer = await wire.receive('PUT')
    expect(answer === undefined || answer.status === 400).toBeTrue()
    const other = server.connect()
    const path = `/v2/team/a/blobs/${digestOf('hello')}`
    expect((await other.request('HEAD', path, { as: admin })).status).toBe(404)
    other.close()
  })

  test('of a manifest has a limit, also when nobody announced its size', async () => {
    const wire = server.connect()
    const bytes = Buffer.alloc(4 * MIB + 1, ' ')
    const chunk = Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes])
    const answer = await wire.request('PUT', '/v2/team/a/manifests/latest', {
      as: admin,
      headers: { 'transfer-encoding': 'chunked', 'content-type': OCI_MANIFEST },
      body: Buffer.concat([chunk, Buffer.from('\r\n0\r\n\r\n')]),
    })
    expect([answer.status, errorOf(answer).code]).toEqual([413, 'SIZE_INVALID'])
    expect((await wire.request('GET', '/v2/', { as: admin })).status).toBe(200)
    wire.close()
  })
})

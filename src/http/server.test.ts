import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { errorOf } from './test-form.ts'
import { startTestServer, type TestServer } from './test-server.ts'
import type { Wire } from './test-wire.ts'

setDefaultTimeout(60_000)

let server: TestServer
let wire: Wire
beforeAll(async () => {
  server = await startTestServer()
  wire = server.connect()
})
afterAll(() => server.stop())

/** One request as it is, on a connection of its own. */
async function raw(text: string) {
  const own = server.connect()
  own.send(text)
  const answer = await own.receive(text.split(' ')[0])
  own.close()
  return answer
}

test('a request without a usable Host is answered at its own path', async () => {
  const cases = ['GET /v2/ HTTP/1.0\r\n\r\n', 'GET /v2/ HTTP/1.1\r\nHost: a"b\r\n\r\n']
  for (const text of cases) {
    const answer = await raw(text)
    expect(answer?.status).toBe(401)
    expect(answer?.header('www-authenticate')).toContain('realm="http://localhost/token"')
  }
  const token = await raw('GET /token?scope=repository:library/a:pull HTTP/1.0\r\n\r\n')
  expect(token?.status).toBe(200)
  // The beginning of the path must not get lost: a proxy in front has judged it whole.
  const moved = await raw('GET /x/v2/_catalog HTTP/1.1\r\nHost: a"b\r\n\r\n')
  expect(moved?.header('docker-distribution-api-version')).toBeUndefined()
  expect(moved?.status).toBe(404)
})

test('what is authorised is what is dispatched, also where dots are in the path', async () => {
  for (const path of ['x/../a/b', 'x/%2e%2e/a/b', 'a\\b', './a/./b']) {
    const answer = await wire.request('GET', `/v2/${path}/tags/list`)
    expect(answer.status).toBe(401)
    // Bun resolves the path before anybody sees it; the challenge names what was dispatched.
    expect(answer.header('www-authenticate')).toEndWith('scope="repository:a/b:pull"')
  }
  const as = server.admin
  expect((await wire.request('GET', '/v2/a%2fb/tags/list', { as })).status).toBe(400)
  expect((await wire.request('GET', '/v2//tags/list', { as })).status).toBe(404)
  expect((await wire.request('GET', '/v2/../v2/_catalog', { as })).status).toBe(200)
  expect((await wire.request('GET', '//v2/_catalog', { as })).status).toBe(404)
})

test('a known path with another method is 405 with the methods it has', async () => {
  for (const method of ['POST', 'PROPFIND', 'OPTIONS', 'TRACE', 'DELETE']) {
    const answer = await wire.request(method, '/v2/')
    expect(answer.status).toBe(405)
    expect(answer.header('allow')).toBe('GET, HEAD')
    expect(errorOf(answer).code).toBe('UNSUPPORTED')
  }
  const tags = await wire.request('HEAD', '/v2/a/tags/list')
  expect([tags.status, tags.body.length]).toEqual([405, 0])
  // A method that HTTP does not know never gets to us; the server goes on.
  await raw('NONSENSE /v2/ HTTP/1.1\r\nHost: a\r\n\r\n')
  expect((await wire.request('GET', '/v2/')).status).toBe(401)
})

test('messages that can be read in two ways are refused, and the server goes on', async () => {
  const start = 'POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: a\r\n'
  const cases = [
    `${start}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `${start}Content-Length: abc\r\n\r\n`,
    `${start}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`,
    `${start}Content-Length: -1\r\n\r\n`,
    `${start}Transfer-Encoding: gzip\r\n\r\n`,
    `${start}Content-Length: 0, 30\r\n\r\n`,
    `${start}Content-Length: +0\r\n\r\n`,
    `${start}Content-Length: 0x10\r\n\r\n`,
    `${start}Content-Length: 18446744073709551616\r\n\r\n`,
    `${start}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
    `${start}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`,
    `${start}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
    `${start}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`,
    `${start}X: a\r\n Transfer-Encoding: chunked\r\n\r\n`,
    `${start}X: a\rTransfer-Encoding: chunked\r\n\r\n`,
    `${start}X: a\0b\r\n\r\n`,
    'POST /v2/a/blobs/uploads/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'GET /v2/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
    'GET /v2/ HTTP/1.1\r\nHost: a\r\nBad Header: b\r\n\r\n',
    'GET /v2/\r\n\r\n',
    'nonsense\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
  ]
  for (const text of cases) {
    const status = (await raw(text))?.status ?? 'closed'
    const refused = status === 'closed' || status === 505 || (status >= 400 && status < 500)
    expect([text, refused]).toEqual([text, true])
  }
  expect((await wire.request('GET', '/v2/')).status).toBe(401)
})

test('headers up to 64 KiB are read, more are 431', async () => {
  const long = await wire.request('GET', `/v2/${'a'.repeat(60_000)}/tags/list`, {
    as: server.admin,
  })
  expect(errorOf(long).code).toBe('NAME_INVALID')
  const token = await wire.request('GET', '/v2/', { as: `Bearer ${'x'.repeat(62_000)}` })
  expect(token.status).toBe(401)
  const tooLong = await raw(`GET /v2/${'a'.repeat(70_000)} HTTP/1.1\r\nHost: a\r\n\r\n`)
  expect(tooLong?.status).toBe(431)
  expect((await wire.request('GET', '/v2/')).status).toBe(401)
})

test('requests sent at once on one connection are answered in order', async () => {
  const own = server.connect()
  const paths = ['/v2/', '/v2/team/one/tags/list', '/healthz', '/v2/team/two/tags/list', '/nowhere']
  own.send(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''))
  const answers = []
  for (const _ of paths) answers.push(await own.receive())
  expect(answers.map((answer) => answer?.status)).toEqual([401, 401, 200, 401, 404])
  expect(answers[3]?.header('www-authenticate')).toContain('repository:team/two:pull')
  own.close()
})

test('hundreds of clients that never come to an end hold up nobody', async () => {
  const slow = Array.from({ length: 400 }, (_, i) => {
    const own = server.connect()
    // Some stop in the head, some in the body.
    const end = i % 2 === 0 ? '' : '\r\n{'
    own.send(
      `PUT /v2/a/b/manifests/x HTTP/1.1\r\nHost: a\r\nAuthorization: ${server.admin}\r\n` +
        `Content-Length: 100\r\n${end}`,
    )
    return own
  })
  for (let i = 0; i < 20; i++) {
    const own = server.connect()
    expect((await own.request('GET', '/v2/_catalog', { as: server.admin })).status).toBe(200)
    own.close()
  }
  for (const own of slow) own.close()
  expect((await wire.request('GET', '/v2/')).status).toBe(401)
})

test('the log has no line for a probe that finds all well', async () => {
  for (const path of ['/healthz', '/readyz']) {
    expect((await wire.request('GET', path)).status).toBe(200)
  }
  const refused = await wire.request('GET', '/metrics')
  expect(refused.status).toBe(401)
  await server.workerOf(refused.header('x-request-id'))
  const routes = server.logged().map(({ route }) => route)
  expect(routes).toContain('metrics')
  expect(routes).not.toContain('healthz')
  expect(routes).not.toContain('readyz')
})

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { digestOf, imageManifest, OCI_MANIFEST, pushBlob, randomBlob } from '../test-content.ts'
import { startTestServer, type TestServer } from '../test-server.ts'
import type { Wire } from '../test-wire.ts'

setDefaultTimeout(60_000)

let server: TestServer
let admin: string
beforeAll(async () => {
  server = await startTestServer({ ENTREPOT_WORKERS: '2' })
  admin = server.admin
})
afterAll(() => server.stop())

const uploads = '/v2/team/resumed/blobs/uploads/'
const MODES = ['', '?digest-algorithm=sha512'] as const

async function start(wire: Wire, query = ''): Promise<string> {
  const answer = await wire.request('POST', `${uploads}${query}`, { as: admin })
  return answer.header('location') ?? ''
}

test.each(MODES)('two workers take turns at one upload%s', async (query) => {
  const [one, other] = await server.connectToEach()
  if (!one || !other) throw new Error('there is one worker only')
  const algorithm = query === '' ? 'sha256' : 'sha512'
  for (const size of [3_000, 300_000]) {
    const bytes = randomBlob(size)
    const digest = digestOf(bytes, algorithm)
    const location = await start(one, query)
    const part = size / 6
    for (let i = 0; i < 5; i++) {
      const range = `${i * part}-${(i + 1) * part - 1}`
      const answer = await (i % 2 === 0 ? other : one).request('PATCH', location, {
        as: admin,
        headers: { 'content-range': range },
        body: bytes.subarray(i * part, (i + 1) * part),
      })
      expect([answer.status, answer.header('range')]).toEqual([202, `0-${(i + 1) * part - 1}`])
      const seen = await (i % 2 === 0 ? one : other).request('GET', location, { as: admin })
      expect([seen.status, seen.header('range')]).toEqual([204, `0-${(i + 1) * part - 1}`])
    }
    const body = bytes.subarray(5 * part)
    const done = await other.request('PUT', `${location}?digest=${digest}`, { as: admin, body })
    expect(done.status).toBe(201)
    const got = await one.request('GET', done.header('location') ?? '', { as: admin })
    expect(got.body.equals(bytes)).toBeTrue()
  }
})

test('what one worker has taken, the other shows at once', async () => {
  const [one, other] = await server.connectToEach()
  if (!one || !other) throw new Error('there is one worker only')
  for (let i = 0; i < 10; i++) {
    const repository = `turns-${i}/a`
    const config = randomBlob(30)
    const layer = randomBlob(5_000)
    await pushBlob(one, admin, repository, config)
    await pushBlob(other, admin, repository, layer)
    const manifest = imageManifest(config, [layer])
    const path = `/v2/${repository}/manifests/v${i}`
    const headers = { 'content-type': OCI_MANIFEST }
    const put = await one.request('PUT', path, { as: admin, headers, body: manifest })
    expect(put.status).toBe(201)
    const got = await other.request('GET', path, { as: admin })
    expect(got.text()).toBe(manifest)
    await other.request('DELETE', path, { as: admin })
    expect((await one.request('HEAD', path, { as: admin })).status).toBe(404)
  }
})

test('two writers at once do not mix their bytes', async () => {
  const [one, other] = await server.connectToEach()
  if (!one || !other) throw new Error('there is one worker only')
  const bytes = randomBlob(2_000_000)
  const location = await start(one)
  const chunk = { as: admin, headers: { 'content-range': '0-1999999' }, body: bytes }
  const both = await Promise.all([
    one.request('PATCH', location, chunk),
    other.request('PATCH', location, chunk),
  ])
  expect(both.map(({ status }) => status).sort()).toEqual([202, 416])
  const done = await one.request('PUT', `${location}?digest=${digestOf(bytes)}`, { as: admin })
  expect(done.status).toBe(201)
})

test.each(MODES)('an upload%s goes on after the server was started again', async (query) => {
  const algorithm = query === '' ? 'sha256' : 'sha512'
  const sizes = [2_000, 200_000]
  const begun = []
  const before = server.connect()
  for (const size of sizes) {
    const bytes = randomBlob(size)
    const location = await start(before, query)
    const body = bytes.subarray(0, size / 2)
    expect((await before.request('PATCH', location, { as: admin, body })).status).toBe(202)
    begun.push({ bytes, location })
  }
  await server.restart()
  const wire = server.connect()
  for (const { bytes, location } of begun) {
    const half = bytes.length / 2
    const status = await wire.request('GET', location, { as: admin })
    expect([status.status, status.header('range')]).toEqual([204, `0-${half - 1}`])
    const digest = digestOf(bytes, algorithm)
    const done = await wire.request('PUT', `${location}?digest=${digest}`, {
      as: admin,
      headers: { 'content-range': `${half}-${bytes.length - 1}` },
      body: bytes.subarray(half),
    })
    expect(done.status).toBe(201)
    const got = await wire.request('GET', done.header('location') ?? '', { as: admin })
    expect(got.body.equals(bytes)).toBeTrue()
  }
})

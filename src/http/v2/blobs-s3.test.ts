import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import {
  findS3Program,
  startS3Server,
  type TestS3Server,
} from '../../store/blobs/test-s3-server.ts'
import { digestOf, pushBlob, randomBlob } from '../test-content.ts'
import { startTestServer, type TestServer } from '../test-server.ts'
import type { Wire } from '../test-wire.ts'

setDefaultTimeout(60_000)

const MIB = 1024 * 1024
const NAME = 'team/blobs'
const program = findS3Program()
if (!program) test.skip('blobs in S3 (.ci/install-tools builds Garage, an S3 server)', () => {})
else suite(program)

function suite(garage: string) {
  let s3: TestS3Server
  beforeAll(async () => {
    s3 = await startS3Server(garage)
  })
  afterAll(() => s3.stop())

  function settings(more: Record<string, string>): Record<string, string> {
    return {
      ENTREPOT_STORAGE_DRIVER: 's3',
      ENTREPOT_STORAGE_S3_BUCKET: s3.bucket,
      ENTREPOT_STORAGE_S3_REGION: s3.region,
      ENTREPOT_STORAGE_S3_ENDPOINT: s3.endpoint,
      ENTREPOT_STORAGE_S3_ACCESS_KEY_ID: s3.accessKeyId,
      ENTREPOT_STORAGE_S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
      ...more,
    }
  }

  const blobs = [2_048, 20_480, 3 * MIB, 20 * MIB + 3].map((size) => {
    const bytes = randomBlob(size)
    return { size, bytes, digest: digestOf(bytes) }
  })

  describe.each([
    ['never', { ENTREPOT_STORAGE_S3_REDIRECT: 'never' }],
    ['not to this client', { ENTREPOT_STORAGE_S3_REDIRECT_EXCEPT: '10.0.0.0/8,127.0.0.0/8' }],
  ])('redirected %s, blobs', (_, more) => {
    let server: TestServer
    let wire: Wire
    beforeAll(async () => {
      server = await startTestServer(settings(more))
      wire = server.connect()
      for (const { bytes } of blobs) await pushBlob(wire, server.admin, NAME, bytes)
    })
    afterAll(() => server.stop())

    const get = (digest: string, headers: Record<string, string> = {}, method = 'GET') =>
      wire.request(method, `/v2/${NAME}/blobs/${digest}`, { as: server.admin, headers })

    test.each(blobs)('of $size bytes have their exact length', async ({ size, bytes, digest }) => {
      const head = await get(digest, {}, 'HEAD')
      expect([head.status, head.header('content-length')]).toEqual([200, String(size)])
      for (const [start, end] of [
        [0, 99],
        [500, size - 1],
        [size - 1, size - 1],
      ] as const) {
        const part = await get(digest, { range: `bytes=${start}-${end}` })
        expect([part.status, part.header('content-length')]).toEqual([206, String(end - start + 1)])
        expect(part.header('content-range')).toBe(`bytes ${start}-${end}/${size}`)
        expect(part.body.equals(bytes.subarray(start, end + 1))).toBeTrue()
      }
      // The first pull of the whole, and one of the copy that it left.
      for (let i = 0; i < 2; i++) {
        const whole = await get(digest)
        expect([whole.status, whole.header('content-length')]).toEqual([200, String(size)])
        expect(whole.header('transfer-encoding')).toBeUndefined()
        expect(whole.body.equals(bytes)).toBeTrue()
      }
    })
  })

  describe('redirected', () => {
    let server: TestServer
    let wire: Wire
    beforeAll(async () => {
      server = await startTestServer(settings({}))
      wire = server.connect()
      for (const { bytes } of blobs) await pushBlob(wire, server.admin, NAME, bytes)
    })
    afterAll(() => server.stop())

    test.each(blobs.slice(1))('blobs of $size bytes come out of the bucket', async (blob) => {
      const { size, bytes, digest } = blob
      const path = `/v2/${NAME}/blobs/${digest}`
      const head = await wire.request('HEAD', path, { as: server.admin })
      expect([head.status, head.header('content-length')]).toEqual([200, String(size)])
      // The form of answers with a body of ours does not hold for this one.
      const answer = await wire.request('GET', path, { as: server.admin, anyForm: true })
      expect([answer.status, answer.header('content-length')]).toEqual([307, '0'])
      const location = answer.header('location') ?? ''
      expect(location).toStartWith(s3.endpoint)
      const whole = await fetch(location)
      expect(whole.headers.get('content-length')).toBe(String(size))
      expect(bytes.equals(new Uint8Array(await whole.arrayBuffer()))).toBeTrue()
      const part = await fetch(location, { headers: { range: 'bytes=5-14' } })
      expect([part.status, part.headers.get('content-length')]).toEqual([206, '10'])
      // What is small is in the database, and an address that was changed opens nothing.
      expect((await fetch(location.replace('/blobs/', '/other/'))).status).toBe(403)
    })
  })
}

import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Server } from 'bun'
import { loadConfig } from '../../lib/config.ts'
import { createSelfSigned } from '../../lib/self-signed.ts'
import { createS3Bucket } from './s3-bucket.ts'
import { createS3 } from './s3-client.ts'

/*
 * What goes over the wire, seen by a server that only writes it down, over a certificate that
 * nobody knows.
 */

const folder = mkdtempSync(join(tmpdir(), 'entrepot-s3-client-'))
const caFile = join(folder, 'ca.pem')
const seen: { method: string; url: string; headers: Headers; body: Buffer }[] = []
let server: Server<undefined>

beforeAll(() => {
  const pair = createSelfSigned({ names: ['localhost', '127.0.0.1'], now: Date.now(), days: 2 })
  writeFileSync(caFile, pair.cert)
  server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    tls: pair,
    async fetch(request) {
      const { method, url, headers } = request
      seen.push({ method, url, headers, body: Buffer.from(await request.arrayBuffer()) })
      return new Response(null, { headers: { etag: '"1"' } })
    },
  })
})
afterAll(async () => {
  await server.stop(true)
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(() => {
  seen.length = 0
})

function bucketOf(more: Record<string, unknown> = {}) {
  const values = {
    bucket: 'layers',
    endpoint: `https://127.0.0.1:${server.port}`,
    caFile,
    accessKeyId: 'an-id',
    secretAccessKey: 'a-secret',
    ...more,
  }
  const flags = Object.entries(values).map(([name, value]) => [`storage.s3.${name}`, value])
  const { config } = loadConfig({ flags: Object.fromEntries(flags), environment: {} })
  return createS3Bucket(createS3(config.storage.s3))
}

test('trusts the authority of the settings, and no server without it', async () => {
  await bucketOf().put('a/b', new Uint8Array([1]))
  const strange = bucketOf({ caFile: undefined })
  await expect(strange.put('a/b', new Uint8Array([1]))).rejects.toThrow(/certificate/i)
}, 60_000)

test('signs the SHA-256 of what it sends, below the prefix of the bucket', async () => {
  const bytes = Buffer.from('bytes of a layer')
  await bucketOf({ prefix: '/team/registry/' }).put('blobs/ab/1', bytes)
  const [request] = seen
  expect(request?.method).toBe('PUT')
  expect(new URL(request?.url ?? '').pathname).toBe('/layers/team/registry/blobs/ab/1')
  expect(request?.headers.get('x-amz-content-sha256')).toBe(Bun.SHA256.hash(bytes, 'hex'))
  expect(request?.headers.get('authorization')).toContain('an-id')
  expect(request?.headers.get('content-length')).toBe(String(bytes.length))
  expect(request?.headers.has('x-amz-server-side-encryption')).toBeFalse()
  expect(request?.body).toEqual(bytes)
})

test('asks for encryption with everything that becomes an object', async () => {
  const bucket = bucketOf({ serverSideEncryption: 'aws:kms', kmsKeyId: 'key-7' })
  await bucket.put('a', new Uint8Array([1]))
  await bucket.begin('b').catch(() => {})
  expect(seen.map(({ method }) => method)).toEqual(['PUT', 'POST'])
  for (const { headers } of seen) {
    expect(headers.get('x-amz-server-side-encryption')).toBe('aws:kms')
    expect(headers.get('x-amz-server-side-encryption-aws-kms-key-id')).toBe('key-7')
  }
})

test('puts the bucket into the host or the path, for itself and for clients', async () => {
  const at = async (more: Record<string, unknown>) =>
    new URL(await bucketOf(more).link('blobs/ab/1', 600))
  expect((await at({})).pathname).toBe('/layers/blobs/ab/1')
  const hosted = await at({ endpoint: 'https://s3.example.com', pathStyle: false })
  expect([hosted.hostname, hosted.pathname]).toEqual(['layers.s3.example.com', '/blobs/ab/1'])
  const aws = await at({ endpoint: undefined, region: 'eu-central-1' })
  expect(aws.hostname).toBe('layers.s3.eu-central-1.amazonaws.com')
  const outside = await at({ publicEndpoint: 'https://blobs.example.com' })
  expect([outside.hostname, outside.pathname]).toEqual(['blobs.example.com', '/layers/blobs/ab/1'])
  expect(outside.searchParams.get('X-Amz-Expires')).toBe('600')
})

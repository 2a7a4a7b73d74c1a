import { afterAll, beforeAll, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../lib/config.ts'
import { newHex } from '../../lib/ids.ts'
import { blobStoreContract } from './blob-store.contract.ts'
import type { S3Settings } from './s3-client.ts'
import { openS3Store } from './s3-store.ts'
import { findS3Program, startS3Server, type TestS3Server } from './test-s3-server.ts'

const program = findS3Program()
if (!program) test.skip('the S3 driver (.ci/install-tools builds Garage, an S3 server)', () => {})
else suite(program)

function suite(garage: string) {
  let server: TestS3Server

  beforeAll(async () => {
    server = await startS3Server(garage)
  })
  afterAll(() => server.stop())

  function settingsOf(more: Record<string, unknown> = {}): S3Settings {
    const { endpoint, region, bucket, accessKeyId, secretAccessKey } = server
    const access = { endpoint, region, bucket, accessKeyId, secretAccessKey }
    const values = Object.entries({ prefix: newHex(4), ...access, ...more })
    const flags = Object.fromEntries(values.map(([name, value]) => [`storage.s3.${name}`, value]))
    return loadConfig({ flags, environment: {} }).config.storage.s3
  }

  function open(more: Record<string, unknown> = {}) {
    const folder = mkdtempSync(join(tmpdir(), 'entrepot-cache-'))
    const remove = async () => rmSync(folder, { recursive: true, force: true })
    return { store: openS3Store(settingsOf(more), { folder }), remove }
  }

  blobStoreContract('S3, with redirects', async () => open())
  blobStoreContract('S3, without redirects', async () => open({ redirect: 'never' }))
}

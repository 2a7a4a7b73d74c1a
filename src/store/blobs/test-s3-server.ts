import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../lib/config.ts'
import { newHex } from '../../lib/ids.ts'
import type { S3Settings } from './s3-client.ts'

/** A real S3 server over an empty folder: Garage, as `.ci/install-tools` builds it. */
export interface TestS3Server {
  endpoint: string
  region: string
  bucket: string
  accessKeyId: string
  secretAccessKey: string
  stop(): Promise<void>
}

const PROGRAM = join(import.meta.dir, '../../../.tools/bin/garage')

/** Where the server is; undefined when it is not installed. */
export function findS3Program(): string | undefined {
  const program = process.env.ENTREPOT_TEST_GARAGE ?? PROGRAM
  try {
    accessSync(program, constants.X_OK)
    return program
  } catch {
    return undefined
  }
}

export async function startS3Server(program: string): Promise<TestS3Server> {
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-s3-'))
  const [api, rpc] = [freePort(), freePort()]
  const endpoint = `http://127.0.0.1:${api}`
  const access = { bucket: 'blobs', accessKeyId: `GK${newHex(12)}`, secretAccessKey: newHex(32) }
  const config = join(folder, 'garage.toml')
  await Bun.write(
    config,
    [
      `metadata_dir = "${folder}/meta"`,
      `data_dir = "${folder}/data"`,
      'db_engine = "lmdb"',
      'replication_factor = 1',
      'compression_level = "none"',
      `rpc_bind_addr = "127.0.0.1:${rpc}"`,
      `rpc_secret = "${newHex(32)}"`,
      '[s3_api]',
      's3_region = "garage"',
      `api_bind_addr = "127.0.0.1:${api}"`,
      '',
    ].join('\n'),
  )
  const server = Bun.spawn([program, '-c', config, 'server', '--single-node', '--default-bucket'], {
    env: {
      ...process.env,
      GARAGE_DEFAULT_ACCESS_KEY: access.accessKeyId,
      GARAGE_DEFAULT_SECRET_KEY: access.secretAccessKey,
      GARAGE_DEFAULT_BUCKET: access.bucket,
      RUST_LOG: 'error',
    },
    stdout: 'ignore',
    stderr: 'ignore',
  })
  async function stop(): Promise<void> {
    server.kill('SIGKILL')
    await server.exited
    rmSync(folder, { recursive: true, force: true })
  }
  const deadline = Date.now() + 30_000
  while (!(await answers(endpoint))) {
    if (Date.now() < deadline && server.exitCode === null) await Bun.sleep(50)
    else {
      await stop()
      throw new Error('the S3 server did not start')
    }
  }
  return { endpoint, region: 'garage', ...access, stop }
}

/** Settings for a bucket of the server, with a prefix that nobody else has. */
export function s3SettingsOf(
  { endpoint, region, bucket, accessKeyId, secretAccessKey }: TestS3Server,
  more: Record<string, unknown> = {},
): S3Settings {
  const access = { endpoint, region, bucket, accessKeyId, secretAccessKey }
  const values = Object.entries({ prefix: newHex(4), ...access, ...more })
  const flags = Object.fromEntries(values.map(([name, value]) => [`storage.s3.${name}`, value]))
  return loadConfig({ flags, environment: {} }).config.storage.s3
}

function answers(endpoint: string): Promise<boolean> {
  return fetch(endpoint).then(
    (response) => response.status === 403,
    () => false,
  )
}

function freePort(): number {
  const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = server
  server.stop(true)
  return port
}

import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endWithThisProcess } from './end-with-this-process.ts'
import { embeddedPostgres } from './postgres-binaries.ts'
import { freePort, projectRoot, waitFor } from './server.ts'

/**
 * The engines that a team has when it outgrows one machine: a real PostgreSQL (from npm) and a real
 * S3 server (Garage, see .ci/install-tools), over empty folders, gone with this process.
 */
export type Engines = {
  /** Settings of a replica on an empty database and an empty place in the bucket. */
  readonly settings: (options?: {
    readonly s3Endpoint?: string
  }) => Promise<Readonly<Record<string, string>>>
  readonly s3: { readonly endpoint: string; readonly region: string; readonly folder: string }
  /** Ends PostgreSQL at once, as a crash does, and starts it again on the same data. */
  readonly restartPostgres: () => Promise<void>
}

export type EnginesOptions = {
  /** Garage compresses what it stores, for contents larger than the disk. */
  readonly compress?: boolean
}

const randomHex = (bytes: number): string =>
  Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('hex')

/** Where Garage is; undefined when it is not installed. */
export const findGarage = (): string | undefined => {
  const program = process.env.ENTREPOT_TEST_GARAGE ?? join(projectRoot, '.tools/bin/garage')
  try {
    accessSync(program, constants.X_OK)
    return program
  } catch {
    return undefined
  }
}

let sharedPostgres: ReturnType<typeof startServer> | undefined

/** One server for the whole process. */
export const startPostgres = (): ReturnType<typeof startServer> => {
  sharedPostgres ??= startServer()
  return sharedPostgres
}

const startServer = async () => {
  const EmbeddedPostgres = await embeddedPostgres()
  const port = freePort()
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-pg-'))
  const server = new EmbeddedPostgres({
    databaseDir: folder,
    port,
    user: 'entrepot',
    password: 'entrepot',
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', 'max_connections=300'],
    onLog: () => {},
    onError: () => {},
  })
  await server.initialise()
  await server.start()
  const pidFile = join(folder, 'postmaster.pid')
  endWithThisProcess(
    'kill -QUIT "$(head -n 1 "$1")"; while [ -e "$1" ]; do sleep 0.2; done; rm -rf "$2"',
    pidFile,
    folder,
  )
  const pid = () => Number(readFileSync(pidFile, 'utf8').split('\n')[0])
  return {
    /** An empty one. */
    async createDatabase() {
      const name = `test_${randomHex(6)}`
      await server.createDatabase(name)
      return { name, url: `postgres://entrepot:entrepot@127.0.0.1:${port}/${name}` }
    },
    /** Ends it at once, as a crash does. */
    async kill() {
      const before = pid()
      process.kill(before, 'SIGQUIT')
      await waitFor('PostgreSQL to end', () => {
        try {
          process.kill(before, 0)
          return false
        } catch {
          return true
        }
      })
    },
    /** On the data of the one that was killed. */
    startAgain: () => server.start(),
  }
}

const startGarage = async (program: string, { compress = false }: EnginesOptions) => {
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-s3-'))
  const [api, rpc] = [freePort(), freePort()]
  const endpoint = `http://127.0.0.1:${api}`
  const access = {
    bucket: 'blobs',
    accessKeyId: `GK${randomHex(12)}`,
    secretAccessKey: randomHex(32),
  }
  const config = join(folder, 'garage.toml')
  await Bun.write(
    config,
    [
      `metadata_dir = "${folder}/meta"`,
      `data_dir = "${folder}/data"`,
      'db_engine = "lmdb"',
      'replication_factor = 1',
      `compression_level = ${compress ? '1' : '"none"'}`,
      `rpc_bind_addr = "127.0.0.1:${rpc}"`,
      `rpc_secret = "${randomHex(32)}"`,
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
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  endWithThisProcess('kill -KILL "$1"; sleep 0.2; rm -rf "$2"', String(server.pid), folder)
  await waitFor('the S3 server to answer', async () => {
    if (server.exitCode !== null) throw new Error('the S3 server did not start')
    const answer = await fetch(endpoint).catch(() => undefined)
    return answer?.status === 403
  }).catch((error: unknown) => {
    server.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
    throw error
  })
  return { endpoint, region: 'garage', folder, ...access }
}

let shared: Promise<Engines> | undefined

/** One of each for the whole process. Throws when Garage is not there: look with `findGarage`. */
export const startEngines = (options: EnginesOptions = {}): Promise<Engines> => {
  shared ??= start(options)
  return shared
}

const start = async (options: EnginesOptions): Promise<Engines> => {
  const program = findGarage()
  if (!program) throw new Error('there is no Garage in .tools/bin: run .ci/install-tools')
  const [postgres, s3] = await Promise.all([startPostgres(), startGarage(program, options)])
  return {
    s3,
    async restartPostgres() {
      await postgres.kill()
      await postgres.startAgain()
    },
    async settings({ s3Endpoint = s3.endpoint } = {}) {
      const { name, url } = await postgres.createDatabase()
      return {
        ENTREPOT_DATABASE_URL: url,
        ENTREPOT_SEALING_KEY: Buffer.from(randomHex(16)).toString('base64'),
        ENTREPOT_STORAGE_DRIVER: 's3',
        ENTREPOT_STORAGE_S3_ENDPOINT: s3Endpoint,
        ENTREPOT_STORAGE_S3_REGION: s3.region,
        ENTREPOT_STORAGE_S3_BUCKET: s3.bucket,
        ENTREPOT_STORAGE_S3_PREFIX: name,
        ENTREPOT_STORAGE_S3_ACCESS_KEY_ID: s3.accessKeyId,
        ENTREPOT_STORAGE_S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
      }
    },
  }
}

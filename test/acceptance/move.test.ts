import { afterAll, beforeAll, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeProtectedHeader } from 'jose'
import pg from 'pg'
import { basic, createProject, createUser } from './admin-api.ts'
import { findGarage, startEngines, startPostgres } from './engines.ts'
import { missingFrom, multiArchOf, pushMultiArch } from './multi-arch.ts'
import { createRawRegistry, imageOf, randomBytes } from './raw-registry.ts'
import { type Credentials, projectRoot, runVerb, type Server, startProcess } from './server.ts'

/*
 * An installation on SQLite and files outgrows its machine: it is stopped, moved to PostgreSQL and,
 * where Garage is installed, to a bucket, with the move killed three times on the way; then it is
 * started there with the settings that the move names.
 */

const LIMIT = 300_000
const MB = 1024 * 1024

let server: Server
let user: Credentials
/** What PostgreSQL and the bucket need; where there is no Garage, only the first. */
let engines: Record<string, string>
let databaseUrl: string
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'entrepot-move-'))
  if (findGarage()) engines = { ...(await (await startEngines()).settings()) }
  else engines = { ENTREPOT_DATABASE_URL: (await (await startPostgres()).createDatabase()).url }
  databaseUrl = engines.ENTREPOT_DATABASE_URL ?? ''
  // Left out on purpose: the move names them, or they go along with the folder.
  for (const name of ['DATABASE_URL', 'SEALING_KEY', 'STORAGE_DRIVER']) {
    delete engines[`ENTREPOT_${name}`]
  }
  server = await startProcess()
  user = await createUser(server, 'mover')
  await createProject(server, 'big', {}, user)
  await createProject(server, 'small', {}, user)
}, LIMIT)

afterAll(async () => {
  await server?.dispose()
  await rm(folder, { recursive: true, force: true })
})

/** The command line of the move. */
const moveArguments = (): string[] => {
  const { ENTREPOT_STORAGE_S3_BUCKET: bucket, ENTREPOT_STORAGE_S3_PREFIX: prefix } = engines
  return [
    ...['--to-database', databaseUrl],
    ...(bucket === undefined ? [] : ['--to-storage', `s3://${bucket}/${prefix}`]),
  ]
}

/** How the bucket is reached; the rest stands in the command line. */
const bucketAccess = (): Record<string, string> =>
  Object.fromEntries(Object.entries(engines).filter(([name]) => !/_S3_(BUCKET|PREFIX)$/.test(name)))

const migrate = (...more: string[]) =>
  runVerb(server, 'migrate', bucketAccess(), [...moveArguments(), ...more])

/** Starts the move and kills it as soon as it is so far; false: it was through before. */
const killMove = async (isSoFar: () => Promise<boolean> | boolean): Promise<boolean> => {
  const child = Bun.spawn(
    [
      join(projectRoot, 'node_modules/.bin/bun'),
      join(projectRoot, 'src/main.ts'),
      'migrate',
      ...moveArguments(),
    ],
    {
      env: { ...process.env, ...bucketAccess(), ENTREPOT_DATA: server.dataDir },
      stdio: ['ignore', 'ignore', 'ignore'],
    },
  )
  while (child.exitCode === null && !(await isSoFar())) await Bun.sleep(2)
  child.kill('SIGKILL')
  await child.exited
  return child.signalCode === 'SIGKILL'
}

const copiedBlobs = (): number => {
  const file = join(server.dataDir, 'moving.json')
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).after : -1
}

/** Tables that are surely in PostgreSQL, as the move has noted there. */
const copiedTables = async (): Promise<number> => {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rows } = await client.query(`select count(*)::int as done from moving
      where key like 'table:%' and value like '%"isDone":true%'`)
    return rows[0].done
  } catch {
    return 0
  } finally {
    await client.end()
  }
}

/** The key by which tokens are signed. */
const signingKey = async (): Promise<string | undefined> => {
  const answer = await fetch(`${server.url}/token?service=entrepot&scope=repository:big/app:pull`, {
    headers: { authorization: basic(user) },
  })
  expect(answer.status).toBe(200)
  const { token } = (await answer.json()) as { token: string }
  return decodeProtectedHeader(token).kid
}

test(
  'an installation is moved, killed on the way, and has everything byte for byte',
  async () => {
    const registry = createRawRegistry(server.url, user)
    const image = multiArchOf(['amd64', 'arm64'], [20 * MB, 9 * MB, 70_000, 5000])
    await pushMultiArch(registry, 'big/app', 'v1', image)
    const small = Array.from({ length: 40 }, (_, i) =>
      imageOf([randomBytes(5000 + i), randomBytes(4097), randomBytes(300)], `small-${i}`),
    )
    for (const [i, one] of small.entries()) {
      for (const blob of one.blobs) await registry.pushBlob(`small/app-${i % 7}`, blob)
      await registry.pushManifest(`small/app-${i % 7}`, `v${i}`, one)
    }
    // An upload that is not finished: it goes on, or its client begins anew where its bytes stay behind.
    const post = await registry.request('POST', '/v2/big/app/blobs/uploads/')
    const upload = new URL(post.headers.get('location') ?? '', server.url).href
    const half = randomBytes(MB)
    const patch = await registry.request('PATCH', upload, { body: half })
    expect(patch.status).toBe(202)

    const signedBefore = await signingKey()
    const running = await migrate()
    expect([running.exitCode, running.output]).toEqual([
      1,
      expect.stringContaining('stop it first'),
    ])
    expect(await server.stop()).toBe(0)
    await cp(server.dataDir, join(folder, 'before'), { recursive: true })

    const estimate = await migrate('--dry-run')
    expect(estimate).toMatchObject({ exitCode: 0 })
    expect(estimate.output).toMatch(/to copy: \d+ rows of \d+ tables; about/)
    expect(estimate.output).toContain('nothing was moved')

    const movesBlobs = engines.ENTREPOT_STORAGE_S3_BUCKET !== undefined
    if (movesBlobs) {
      expect(await killMove(() => copiedBlobs() >= 0)).toBe(true)
      await killMove(() => copiedBlobs() > 0)
    }
    await killMove(async () => (await copiedTables()) > 0)

    const moved = await migrate()
    expect(moved).toMatchObject({ exitCode: 0 })
    expect(moved.output).toContain('their checksums are the same')
    expect(moved.output).not.toContain(`${new URL(databaseUrl).password}@`)
    const again = await migrate()
    expect([again.exitCode, again.output]).toEqual([
      0,
      expect.stringContaining('nothing is left to do'),
    ])

    // The former settings would bring up what it was before.
    await expect(startProcess({ after: server })).rejects.toThrow('entrepot migrate')

    const named = Object.fromEntries(
      [...moved.output.matchAll(/^ {2}(ENTREPOT_\w+)=(.*)$/gm)].map(([, name, value]) => [
        name,
        value,
      ]),
    )
    expect(Object.keys(named)).toContain('ENTREPOT_DATABASE_URL')
    server = await startProcess({
      after: server,
      env: { ...bucketAccess(), ...named, ENTREPOT_DATABASE_URL: databaseUrl },
    })
    const there = createRawRegistry(server.url, user)
    // Its private half came along sealed.
    expect(await signingKey()).toBe(signedBefore)
    expect(await missingFrom(there, 'big/app', 'v1', image)).toEqual([])
    for (const [i, one] of small.entries()) {
      const name = `small/app-${i % 7}`
      expect(await there.readManifest(name, `v${i}`)).toEqual(one.manifest.bytes)
      for (const { digest, bytes } of one.blobs) {
        expect(Buffer.compare(await there.readBlob(name, digest), bytes)).toBe(0)
      }
    }
    expect((await there.request('PATCH', upload, { body: half })).status).toBe(
      movesBlobs ? 404 : 202,
    )

    const more = imageOf([randomBytes(10 * MB)], 'after the move')
    for (const blob of more.blobs) await there.pushBlob('big/app', blob)
    await there.pushManifest('big/app', 'v2', more)
    expect(await there.headManifest('big/app', 'v2')).toBe(more.manifest.digest)

    const verified = await runVerb(server, 'verify', {}, ['--deep'])
    expect(verified.output).toContain('nothing is wrong')
    expect(verified.exitCode).toBe(0)
  },
  LIMIT,
)

test.skipIf(!findGarage())('the files that were moved are as they were', async () => {
  const list = async (root: string) =>
    [...new Bun.Glob('**/*').scanSync({ cwd: root })]
      .filter((name) => name.startsWith('blobs/') || name === 'sealing.key')
      .map((name) => `${name} ${Bun.SHA1.hash(readFileSync(join(root, name)), 'hex')}`)
      .sort()
  const before = await list(join(folder, 'before'))
  expect(before.length).toBeGreaterThan(80)
  expect(await list(server.dataDir)).toEqual(before)
})

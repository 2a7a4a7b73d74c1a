import { afterAll, expect, test } from 'bun:test'
import { appendFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createProject } from './admin-api.ts'
import { findGarage, startEngines } from './engines.ts'
import { blobOf, createRawRegistry, type Image, imageOf, randomBytes } from './raw-registry.ts'
import { runVerb, type Server, startProcess, waitFor } from './server.ts'

/**
 * The database is deleted, and made anew out of what is left: the folder or the bucket. All that was
 * acknowledged before the last orderly stop is there again, byte for byte.
 */

const LIMIT = 240_000

const servers: Server[] = []

afterAll(async () => {
  for (const server of servers) await server.dispose()
}, LIMIT)

const start = async (options: Parameters<typeof startProcess>[0]): Promise<Server> => {
  const server = await startProcess(options)
  servers.push(server)
  return server
}

type Pushed = { repository: string; tag: string; image: Image }

const pushAll = async (server: Server, pushed: readonly Pushed[]): Promise<void> => {
  const registry = createRawRegistry(server.url, server.admin)
  for (const { repository, tag, image } of pushed) {
    for (const blob of image.blobs) await registry.pushBlob(repository, blob)
    await registry.pushManifest(repository, tag, image)
  }
}

const expectAll = async (server: Server, pushed: readonly Pushed[]): Promise<void> => {
  const registry = createRawRegistry(server.url, server.admin)
  for (const { repository, tag, image } of pushed) {
    const { digest } = blobOf(await registry.readManifest(repository, tag))
    expect([repository, tag, digest]).toEqual([repository, tag, image.manifest.digest])
    for (const blob of image.blobs) {
      expect(blobOf(await registry.readBlob(repository, blob.digest)).digest).toBe(blob.digest)
    }
  }
}

const usageOf = async (server: Server, project: string): Promise<unknown> => {
  const authorization = `Basic ${btoa(`${server.admin.username}:${server.admin.password}`)}`
  const answer = await fetch(`${server.url}/api/v1/projects/${project}`, {
    headers: { authorization },
  })
  expect(answer.status).toBe(200)
  const { createdAt, isPublic, quota, usage, id } = (await answer.json()) as Record<string, unknown>
  return { createdAt, isPublic, quota, usage, id }
}

/** `lose` takes the database away and returns the settings of an empty one. */
const tryIt = async (
  env: Record<string, string>,
  lose: (server: Server) => Promise<Record<string, string>>,
): Promise<void> => {
  const first = await start({ env })
  await createProject(first, 'team', { public: true, quota: 50_000_000 })
  const shared = randomBytes(70_000)
  const pushed = ['v1', 'v2', 'latest'].map((tag) => ({
    repository: 'team/app',
    tag,
    image: imageOf([shared, randomBytes(9_000_000), randomBytes(10)], tag),
  }))
  await pushAll(first, pushed)
  // Between the commit and the journal: what it has to be told stands in the database.
  await first.killAll()
  const second = await start({ env, after: first })
  const late = { repository: 'team/deep/lib', tag: 'late', image: imageOf([shared], 'late') }
  await pushAll(second, [late])
  await expectAll(second, [...pushed, late])
  expect((await runVerb(second, 'rebuild', env)).output).toContain('in use by another Entrepot')
  // The killed one may have been writing; after a while another process does.
  await waitFor(
    'the journal to have all that was pushed',
    async () => {
      const { output } = await runVerb(second, 'rebuild', env, ['--dry-run'])
      return output.includes('2 repositories, 4 manifests, 4 tags')
    },
    120_000,
  )
  const latest = { repository: 'team/app', tag: 'latest', image: late.image }
  await pushAll(second, [latest])
  const all = [...pushed.slice(0, 2), late, latest]
  await expectAll(second, all)
  const usage = await usageOf(second, 'team')
  expect(await second.stop()).toBe(0)

  const emptied = { ...env, ...(await lose(second)) }
  const dryRun = await runVerb(second, 'rebuild', emptied, ['--dry-run', '--verify'])
  expect([dryRun.exitCode, dryRun.output]).toEqual([
    0,
    expect.stringContaining('would bring back 2 projects, 2 repositories, 5 manifests, 4 tags'),
  ])
  const rebuilt = await runVerb(second, 'rebuild', emptied, ['--verify'])
  expect([rebuilt.exitCode, rebuilt.output]).toEqual([
    0,
    expect.stringContaining('brought back 2 projects, 2 repositories, 5 manifests, 4 tags'),
  ])
  const verified = await runVerb(second, 'verify', emptied, ['--deep'])
  expect(verified.output).toEndWith('nothing is wrong\n')
  const again = await runVerb(second, 'rebuild', emptied)
  expect([again.exitCode, again.output]).toEqual([
    1,
    expect.stringContaining('the database is not empty'),
  ])

  const third = await start({ env: emptied, after: second })
  await expectAll(third, all)
  expect(await usageOf(third, 'team')).toEqual(usage)
  const next = { repository: 'team/app', tag: 'v3', image: imageOf([randomBytes(9_000)], 'v3') }
  await pushAll(third, [next])
  await third.stop()
  expect((await runVerb(third, 'verify', emptied)).output).toEndWith('nothing is wrong\n')
  const later = await runVerb(third, 'rebuild', emptied, ['--dry-run'])
  expect(later.output).toContain('6 manifests, 5 tags')
}

// Side by side: much of the time each waits for what its server does in the background.
test.concurrent(
  'files: the database is made anew from the folder',
  () =>
    tryIt({ ENTREPOT_STORAGE_DRIVER: 'file' }, async ({ dataDir }) => {
      for (const suffix of ['', '-wal', '-shm']) {
        await rm(join(dataDir, `entrepot.db${suffix}`), { force: true })
      }
      return {}
    }),
  LIMIT,
)

const onEngines = 'PostgreSQL and S3: the database is made anew from the bucket'
if (findGarage()) {
  test.concurrent(
    onEngines,
    async () => {
      const engines = await startEngines()
      await tryIt({ ...(await engines.settings()) }, async () => {
        const { ENTREPOT_DATABASE_URL = '' } = await engines.settings()
        return { ENTREPOT_DATABASE_URL }
      })
    },
    LIMIT,
  )
} else {
  const sentence = `${onEngines}: not tested, missing garage`
  test.skip(sentence, () => {})
  const list = process.env.ENTREPOT_NOT_TESTED
  if (list) appendFileSync(list, `${sentence}\n`)
}

import { afterEach, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import type { JobContext } from '../../jobs/job.ts'
import { createSqliteTest } from '../../store/db/test-databases.ts'
import { createRegistryJobs } from '../jobs.ts'
import { noise, pushImage, type TestProcess } from '../test-registry.ts'
import { foreignLineages } from './lineages.ts'
import { createTestRebuild, type TestRebuild } from './rebuild/test-rebuild.ts'

setDefaultTimeout(60_000)

let rebuilt: TestRebuild

beforeEach(async () => {
  rebuilt = await createTestRebuild(createSqliteTest)
})
afterEach(() => rebuilt.remove())

/** Runs the job that removes what no row names, long after everything was pushed. */
async function sweep({ db, uploads }: TestProcess): Promise<void> {
  const { registry, journal } = rebuilt
  const { store, clock } = registry
  const { jobs } = createRegistryJobs({ db, store, journal, clock, uploads, uploadsExpireAfter: 1 })
  const context: JobContext = {
    id: 1,
    attempt: 1,
    lastProgress: undefined,
    signal: new AbortController().signal,
    progress() {},
    async heartbeat() {},
  }
  registry.pass(2 * 365 * 86_400_000)
  await jobs.find(({ name }) => name === 'uploads.sweep')?.run({}, context)
}

const storedBlobs = async () => (await Array.fromAsync(rebuilt.registry.store.list())).length

test('an empty database on the store of a lost one removes none of its blobs', async () => {
  const { registry, journal, writeJournal } = rebuilt
  await pushImage(registry.first, 'team/app', [noise(5_000, 1), noise(6_000, 2)], { tag: 'v1' })
  await writeJournal()
  expect(await foreignLineages(registry.first.db, journal)).toEqual([])
  const [name = ''] = journal.objects.keys()

  const fresh = await rebuilt.emptyDatabase()
  const other = registry.anotherProcess({ db: () => fresh })
  await sweep(other)
  expect(await storedBlobs()).toBe(2)
  await writeJournal(fresh)
  expect(await foreignLineages(fresh, journal)).toEqual([name.split('/')[0] ?? ''])
  await sweep(other)
  expect(await storedBlobs()).toBe(2)

  // Whoever begins anew on purpose removes the old journal.
  for (const old of journal.objects.keys()) {
    if (old.startsWith(name.slice(0, 16))) journal.objects.delete(old)
  }
  await sweep(other)
  expect(await storedBlobs()).toBe(0)
})

test('after a rebuild the store is of the new database', async () => {
  const { registry, journal, writeJournal } = rebuilt
  await pushImage(registry.first, 'team/app', [noise(5_000, 1), noise(6_000, 2)], { tag: 'v1' })
  await writeJournal()
  const db = await rebuilt.emptyDatabase()
  await rebuilt.run(db)
  expect(await foreignLineages(db, journal)).toEqual([])
  await sweep(registry.anotherProcess({ db: () => db }))
  expect(await rebuilt.problemsOf(db)).toEqual([])
})

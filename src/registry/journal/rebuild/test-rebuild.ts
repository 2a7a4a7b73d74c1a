import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '../../../lib/log.ts'
import type { Db } from '../../../store/db/database.ts'
import { migrate } from '../../../store/db/migrate.ts'
import type { TestDatabase } from '../../../store/db/test-databases.ts'
import {
  createTestJournalStore,
  type TestJournalStore,
} from '../../../store/journal/test-journal-store.ts'
import {
  createTestRegistry,
  imageOf,
  indexOf,
  nameOf,
  noise,
  type ProcessOptions,
  pushBlob,
  pushImage,
  pushManifest,
  refTo,
  type TestProcess,
  type TestRegistry,
} from '../../test-registry.ts'
import { verify } from '../../verify.ts'
import { createJournalWriter } from '../writer.ts'
import { type RebuildOptions, type RebuildReport, rebuild } from './rebuild.ts'

/** A registry with its journal, and what is made of that. */
export interface TestRebuild {
  registry: TestRegistry
  journal: TestJournalStore
  writeJournal(db?: Db): Promise<void>
  emptyDatabase(): Promise<Db>
  /** Without a database: a dry run. */
  run(
    db: Db | undefined,
    options?: Partial<RebuildOptions>,
  ): Promise<RebuildReport & { sentences: string[] }>
  problemsOf(db: Db): Promise<string[]>
  remove(): Promise<void>
}

const quiet = createLog({ level: 'error', format: 'json', output: () => {} })

export async function createTestRebuild(
  create: () => Promise<TestDatabase>,
  watched: Pick<ProcessOptions, 'createWatch'> = {},
): Promise<TestRebuild> {
  const registry = await createTestRegistry(create, watched)
  const journal = createTestJournalStore()
  const databases: TestDatabase[] = []
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-rebuild-'))
  const { store, clock } = registry
  let runs = 0
  return {
    registry,
    journal,
    writeJournal(db = registry.first.db) {
      registry.pass(61_000)
      return createJournalWriter({ db, store: journal, clock, log: quiet }).flush()
    },
    async emptyDatabase() {
      const database = await create()
      databases.push(database)
      const db = database.open()
      await migrate(db)
      return db
    },
    async run(db, options = {}) {
      const sentences: string[] = []
      const report = await rebuild(
        {
          db,
          store,
          journal,
          clock,
          ...watched,
          folder: join(folder, `scratch-${++runs}`),
          onLost: (sentence) => sentences.push(sentence),
        },
        { deep: true, partial: false, sparse: false, ...options },
      )
      return { ...report, sentences }
    },
    async problemsOf(db) {
      return (await verify({ db, store }, { deep: true, sparse: false })).problems
    },
    async remove() {
      for (const database of databases) await database.remove()
      await registry.remove()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Something of each kind. */
export async function fill(process: TestProcess) {
  const { db, projects, repositories } = process
  await db.transaction((tx) =>
    projects.create(tx, {
      name: 'team',
      isPublic: true,
      quota: 1_000_000,
      description: 'what we make',
      createdBy: null,
    }),
  )
  const app = await pushImage(process, 'team/app', [noise(500, 1), noise(9_000, 2)], {
    tags: ['v1', 'latest'],
  })
  await pushImage(process, 'team/app', [noise(500, 1), noise(9_000, 3)], { tag: 'latest' })
  await process.tags.protect(nameOf('team/app'), 'v1', true)
  const index = indexOf([refTo(app)], { annotations: { some: 'thing' } })
  await pushManifest(process, 'team/app', index, { tag: 'multi' })
  await pushImage(process, 'team/app', [noise(2, 9)], { more: { subject: refTo(app) } })
  await pushBlob(process, 'team/app', noise(6_000, 4), { algorithm: 'sha512' })
  // A manifest whose bytes came as a blob before, and one that came the other way round.
  const large = imageOf([noise(500, 1)], { annotations: { text: 'x'.repeat(5_000) } })
  await pushBlob(process, 'other/lib', noise(500, 1))
  await pushBlob(process, 'other/lib', large.bytes)
  await pushManifest(process, 'other/lib', large, { tag: 'large' })
  await pushBlob(process, 'other/copy', app.bytes)
  await db.transaction((tx) =>
    repositories.update(tx, nameOf('other/lib'), { summary: 'a library', description: '# Lib' }),
  )
  const gone = await pushImage(process, 'gone/app', [noise(7, 1)], { tag: 'v1' })
  await process.manifests.remove(nameOf('gone/app'), gone.digest, null)
  await pushImage(process, 'gone/whole', [noise(8, 1)], { tag: 'v1' })
  await db.transaction((tx) => repositories.remove(tx, nameOf('gone/whole'), null, 'test'))
}

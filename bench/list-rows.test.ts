import { afterAll, beforeAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { createArtifactList } from '../src/registry/artifact-list.ts'
import { createRepositoryList } from '../src/registry/repository-list.ts'
import type { Db } from '../src/store/db/database.ts'
import { createMigrated, type TestDatabase } from '../src/store/db/test-databases.ts'
import { fillList, listPath } from './list-rows.ts'

let db: Db
let database: TestDatabase

// One batch and a part of the next.
const rows = 5003

beforeAll(async () => {
  const made = await createMigrated()
  db = made.db
  database = made.test
  for (const of of ['repositories', 'artifacts'] as const) {
    await fillList(join(database.location.dataFolder, 'entrepot.db'), of, rows)
  }
})

afterAll(() => database.remove())

async function projectOf(name: string): Promise<number> {
  const query = db.query.selectFrom('project').select('id').where('name', '=', name)
  return (await query.executeTakeFirstOrThrow()).id
}

const all = { offset: 0, limit: undefined }

test('there are as many repositories as the counter says', async () => {
  const project = await projectOf(`ccr-repositories-${rows}`)
  const { total, items } = await createRepositoryList({ db }).page({ of: { project }, ...all })
  expect([total, items.length]).toEqual([rows, rows])
  expect(listPath('repositories', rows)).toContain(`/projects/${items[0]?.project}/repositories?`)
})

test('there are as many artifacts as the counters say, each with a tag', async () => {
  const project = await projectOf(`ccr-artifacts-${rows}`)
  const found = await createArtifactList({ db }).page(project, 'web/front', all)
  expect([found?.total, found?.items.length]).toEqual([rows, rows])
  expect(new Set(found?.items.map(({ tags }) => tags.length))).toEqual(new Set([1]))
  const counters = db.query
    .selectFrom('repository')
    .select(['manifest_count', 'tag_count', 'artifact_count'])
    .where('project', '=', project)
  expect(await counters.executeTakeFirstOrThrow()).toEqual({
    manifest_count: rows,
    tag_count: rows,
    artifact_count: rows,
  })
  expect(listPath('artifacts', rows)).toContain('/repositories/web%2Ffront/artifacts?')
})

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type RawBuilder, sql } from 'kysely'
import type { Db } from '../store/db/database.ts'
import { createMigrated, onEachEngine, type TestDatabase } from '../store/db/test-databases.ts'
import { artifactListQuery } from './artifact-list.ts'
import { repositoryListQuery } from './repository-list.ts'

/*
 * A page of a list costs what it shows, not what there is: the plans of the statements, over a
 * project with many repositories and a repository with many artifacts beside a small one. Times are
 * not measured here.
 */

const MANY = 30_000

onEachEngine('plans of lists', (create) => {
  let db: Db
  let database: TestDatabase
  beforeAll(async () => {
    const made = await createMigrated(create)
    db = made.db
    database = made.test
    await fill(db)
  })
  afterAll(() => database.remove())

  /** Tables of which a plan reads everything. */
  async function scanned(query: RawBuilder<unknown>): Promise<string[]> {
    const lines = await planOf(db, query)
    const whole = lines.flatMap((line) => {
      // In the order of the list: it ends with the page.
      if (line.includes('USING COVERING INDEX repository_name')) return []
      const [, table] = /^\s*(?:SCAN|(?:->\s+)?(?:Parallel )?Seq Scan on) (\w+)/.exec(line) ?? []
      return table === undefined ? [] : [ALIASES[table] ?? table]
    })
    return whole.filter((table) => LARGE.includes(table))
  }

  const first = { offset: 0, limit: 10 }
  const last = { offset: MANY - 10, limit: 10 }

  describe.each([
    ['the first', first],
    ['the last', last],
  ])('%s page', (_, range) => {
    test.each([
      ['the repositories of a project', repositoryListQuery({ of: { project: 1 }, ...range })],
      ['all repositories', repositoryListQuery({ of: { viewer: 'all' }, ...range })],
      ['what an account sees', repositoryListQuery({ of: { viewer: 7 }, ...range })],
      ['artifacts', artifactListQuery(1, 'repo-1', range)],
      ['artifacts of a small repository', artifactListQuery(1, 'repo-2', range)],
    ])('of %s reads no large table as a whole', async (_, query) => {
      expect(await scanned(query)).toEqual([])
    })
  })

  test('the page itself is found in the index of its order', async () => {
    const repositories = await planOf(db, repositoryListQuery({ of: { project: 1 }, ...first }))
    expect(repositories.join('\n')).toMatch(/repository.* repository_name|repository_name on/)
    for (const name of ['repo-1', 'repo-2']) {
      const artifacts = await planOf(db, artifactListQuery(1, name, first))
      expect(artifacts.join('\n')).toMatch(/COVERING INDEX manifest_listed|using manifest_listed/)
    }
  })
})

const LARGE = ['repository', 'manifest', 'manifest_ref', 'tag']
const ALIASES: Record<string, string> = {
  r: 'manifest_ref',
  m: 'manifest',
  t: 'tag',
  s: 'tag',
  child: 'manifest',
  signature: 'manifest',
}

async function planOf(db: Db, query: RawBuilder<unknown>): Promise<string[]> {
  const explain = sql`${sql.raw(db.engine.name === 'sqlite' ? 'explain query plan' : 'explain')}`
  const { rows } = await sql<Record<string, unknown>>`${explain} ${query}`.execute(db.query)
  return rows.map((row) => String(row['QUERY PLAN'] ?? row.detail))
}

/** Rows as pushes leave them, made at once. The small repository's artifacts are the oldest. */
async function fill(db: Db): Promise<void> {
  const series = (count: number) => sql`
    (with recursive s(i) as (select 1 union all select i + 1 from s where i < ${sql.lit(count)})
    select i from s) s`
  const artifacts = (repository: number, count: number) => sql`
    insert into manifest
      (repository, digest, content, media_type, kind, size, created_at, listed, image_size)
    select ${sql.lit(repository)}, 'sha256:' || i, 1, 'm', 'image', 1, 1, 1, 5 from ${series(count)}`
  const edges = (position: number, kind: string) => sql`
    insert into manifest_ref (repository, parent, position, child, kind, descriptor)
    select repository, id, ${sql.lit(position)}, 'sha256:x', ${sql.lit(kind)}, '{}' from manifest`
  await db.transaction(async (tx) => {
    for (const statement of [
      sql`insert into project (name, is_public, created_at, updated_at) values ('p', 1, 1, 1)`,
      sql`insert into project_usage (project, repository_count) values (1, ${sql.lit(MANY)})`,
      sql`insert into repository (project, name, created_at, updated_at, artifact_count)
        select 1, 'repo-' || i, 1, 1, 10 from ${series(MANY)}`,
      sql`insert into content (sha256, size, state_at, created_at) values ('x', 1, 1, 1)`,
      artifacts(2, 10),
      artifacts(1, MANY),
      sql`insert into tag (repository, name, manifest, created_at, updated_at)
        select repository, 'v' || id, id, 1, 1 from manifest`,
      edges(0, 'config'),
      edges(1, 'layer'),
    ]) {
      await statement.execute(tx)
    }
  })
  await sql`analyze`.execute(db.query)
}

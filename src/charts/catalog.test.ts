import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { CompiledQuery, createQueryId, type RootOperationNode } from 'kysely'
import type { Db } from '../store/db/database.ts'
import { createMigrated, createSqliteTest, onEachEngine } from '../store/db/test-databases.ts'
import { type ChartCatalog, createChartCatalog } from './catalog.ts'
import { createChartIndex } from './index-file.ts'
import { parseVersion } from './version.ts'

/** A database whose statements are counted; `last` is the one that was built last. */
function counted(db: Db) {
  let statements = 0
  let last: RootOperationNode | undefined
  const query = db.query.withPlugin({
    transformQuery({ node }) {
      last = node
      return node
    },
    async transformResult({ result }) {
      statements++
      return result
    },
  })
  return { db: { ...db, query }, statements: () => statements, last: () => last }
}

/** Rows as the recorder makes them; `path` is that of the repository. */
async function addVersions(
  db: Db,
  project: { id: number; name: string },
  path: string,
  versions: readonly string[],
): Promise<void> {
  const times = { created_at: 1, updated_at: 1 }
  const repository = await db.query
    .insertInto('repository')
    .values({ project: project.id, name: path, ...times })
    .returning('id')
    .executeTakeFirstOrThrow()
  const content = await db.query
    .insertInto('content')
    .values({ sha256: `${project.name}/${path}`, size: 1, state_at: 1, created_at: 1 })
    .returning('id')
    .executeTakeFirstOrThrow()
  const slash = path.lastIndexOf('/')
  const name = path.slice(slash + 1)
  for (let at = 0; at < versions.length; at += 500) {
    const batch = versions.slice(at, at + 500)
    const manifests = await db.query
      .insertInto('manifest')
      .values(
        batch.map((version) => ({
          repository: repository.id,
          digest: `sha256:${version}`,
          content: content.id,
          media_type: '',
          kind: 'image' as const,
          size: 1,
          created_at: 1,
        })),
      )
      .returning('id')
      .execute()
    const tags = await db.query
      .insertInto('tag')
      .values(
        batch.map((version, i) => ({
          repository: repository.id,
          name: version,
          manifest: manifests[i]?.id ?? 0,
          ...times,
        })),
      )
      .returning('id')
      .execute()
    await db.query
      .insertInto('chart_version')
      .values(
        batch.map((version, i) => ({
          manifest: manifests[i]?.id ?? 0,
          project: project.id,
          repository: repository.id,
          tag: tags[i]?.id ?? 0,
          folder: path.slice(0, Math.max(0, slash)),
          name,
          version,
          version_key: parseVersion(version)?.key ?? '',
          file_name: `${name}-${version}.tgz`,
          stamp: at + i,
          created_at: at + i,
          archive_digest: 'sha256:0',
          archive_size: 1,
          entry_size: 60,
          entry: JSON.stringify({ name, version, urls: [], created: '', digest: '' }),
        })),
      )
      .execute()
  }
}

async function addProject(db: Db, name: string, isPublic: 0 | 1) {
  const times = { created_at: 1, updated_at: 1 }
  return db.query
    .insertInto('project')
    .values({ name, is_public: isPublic, ...times })
    .returning(['id', 'name'])
    .executeTakeFirstOrThrow()
}

const blobs = new Proxy({} as Parameters<typeof createChartCatalog>[0]['blobs'], {})

onEachEngine('lists of charts', (create) => {
  let database: Awaited<ReturnType<typeof createMigrated>>
  let catalog: ChartCatalog
  let statements: () => number
  let privateId: number
  let account: number

  beforeAll(async () => {
    database = await createMigrated(create)
    const db = counted(database.db)
    statements = db.statements
    catalog = createChartCatalog({ db: db.db, blobs })
    const open = await addProject(database.db, 'open', 1)
    const hidden = await addProject(database.db, 'hidden', 0)
    privateId = hidden.id
    await addVersions(database.db, open, 'web/nginx', ['1.9.0', '1.10.0', '1.10.0-rc.1'])
    await addVersions(database.db, open, 'nginx', ['0.1.0'])
    await addVersions(database.db, hidden, 'redis', ['2.0.0-rc.1', '1.0.0'])
    account = (
      await database.db.query
        .insertInto('account')
        .values({ kind: 'user', name: 'a', created_at: 1, updated_at: 1 })
        .returning('id')
        .executeTakeFirstOrThrow()
    ).id
    await database.db.query
      .insertInto('member')
      .values({ project: hidden.id, account, role: 'guest', created_at: 1 })
      .execute()
  })
  afterAll(() => database.test.remove())

  const names = async (filter: Parameters<ChartCatalog['list']>[0]) => {
    const { total, charts } = await catalog.list(filter)
    return [total, ...charts.map(({ project, name }) => `${project}/${name}`)]
  }

  test('a chart has its number of versions, the highest of them and its times', async () => {
    const { charts } = await catalog.list({})
    expect(charts.map(({ latest, ...chart }) => ({ ...chart, latest: latest.version }))).toEqual([
      {
        ...{ project: 'hidden', name: 'redis', totalVersions: 2, latestVersion: '2.0.0-rc.1' },
        ...{ createdAt: 0, updatedAt: 1, latest: '2.0.0-rc.1' },
      },
      {
        ...{ project: 'open', name: 'nginx', totalVersions: 1, latestVersion: '0.1.0' },
        ...{ createdAt: 0, updatedAt: 0, latest: '0.1.0' },
      },
      {
        ...{ project: 'open', name: 'web/nginx', totalVersions: 3, latestVersion: '1.10.0' },
        ...{ createdAt: 0, updatedAt: 2, latest: '1.10.0' },
      },
    ])
  })

  test('pages have the total, also behind the end', async () => {
    expect(await names({ limit: 2 })).toEqual([3, 'hidden/redis', 'open/nginx'])
    expect(await names({ offset: 2, limit: 2 })).toEqual([3, 'open/web/nginx'])
    expect(await names({ offset: 9, limit: 2 })).toEqual([3])
    expect(await names({ offset: 1 })).toEqual([3, 'open/nginx', 'open/web/nginx'])
  })

  test('filters by project, folder, part of the name, and who may see it', async () => {
    expect(await names({ project: privateId })).toEqual([1, 'hidden/redis'])
    expect(await names({ folder: '' })).toEqual([2, 'hidden/redis', 'open/nginx'])
    expect(await names({ folder: 'web' })).toEqual([1, 'open/web/nginx'])
    expect(await names({ nameHas: 'web/' })).toEqual([1, 'open/web/nginx'])
    expect(await names({ nameHas: '%' })).toEqual([0])
    expect(await names({ visibleTo: null })).toEqual([2, 'open/nginx', 'open/web/nginx'])
    expect(await names({ visibleTo: account })).toEqual([
      3,
      'hidden/redis',
      'open/nginx',
      'open/web/nginx',
    ])
  })

  test('a page is one statement', async () => {
    const before = statements()
    await catalog.list({ offset: 1, limit: 1, visibleTo: account, nameHas: 'nginx' })
    expect(statements() - before).toBe(1)
  })
})

describe('an index of 10,000 versions', () => {
  let database: Awaited<ReturnType<typeof createMigrated>>
  let project: { id: number; name: string }

  beforeAll(async () => {
    database = await createMigrated(createSqliteTest)
    project = await addProject(database.db, 'large', 1)
    const versions = Array.from({ length: 5_000 }, (_, i) => `1.${i}.0`)
    await addVersions(database.db, project, 'a', versions)
    await addVersions(database.db, project, 'b', versions)
  }, 60_000)
  afterAll(() => database.test.remove())

  test('is read once, and its state is one statement over one index', async () => {
    const { db, statements } = counted(database.db)
    const index = createChartIndex({ db })
    const folder = { project: project.id, path: '' }
    const read = () => index.read({ folder, contextPath: '/charts' })
    const first = await read()
    const bytes = await first.bytes()
    expect(new TextDecoder().decode(bytes).match(/^ {2}- /gm)?.length).toBe(10_000)
    expect(statements()).toBe(2)
    const again = await read()
    expect(await again.bytes()).toBe(bytes)
    expect(statements()).toBe(3)
    // What is gone changes the state; so does what comes in its place.
    await database.db.query.deleteFrom('tag').where('name', '=', '1.7.0').execute()
    const less = await read()
    expect(less.etag).not.toBe(first.etag)
    expect(new TextDecoder().decode(await less.bytes())).not.toContain('"1.7.0"')
    expect(statements()).toBe(5)
  })

  test('reads no row of a chart for its state', async () => {
    const { db, last } = counted(database.db)
    const folder = { project: project.id, path: '' }
    await createChartIndex({ db }).read({ folder, contextPath: undefined })
    const node = last()
    if (!node) throw new Error('no statement was seen')
    const compiled = database.db.query.getExecutor().compileQuery(node, createQueryId())
    const explain = CompiledQuery.raw(`explain query plan ${compiled.sql}`, [project.id, ''])
    const { rows } = await database.db.query.executeQuery<{ detail: string }>(explain)
    expect(rows[0]?.detail).toContain(
      'USING COVERING INDEX chart_version_shown (project=? AND folder=?)',
    )
  })
})

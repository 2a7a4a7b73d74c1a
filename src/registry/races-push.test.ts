import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { codeOf } from '../accounts/test-accounts.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import {
  createTestRegistry,
  digestOf,
  imageOf,
  nameOf,
  noise,
  pushBlob,
  pushImage,
  pushManifest,
  readBlob,
  type TestProcess,
  type TestRegistry,
} from './test-registry.ts'
import { foldUsage, usageOf } from './usage.ts'

onEachEngine('pushes at once', (create) => {
  let registry: TestRegistry
  let processes: TestProcess[]
  let retriesBefore = 0

  beforeAll(async () => {
    registry = await createTestRegistry(create)
    processes = [registry.first, ...[1, 2, 3].map(() => registry.anotherProcess())]
  })
  afterAll(() => registry.remove())
  afterEach(async () => {
    expect(await registry.problems()).toEqual([])
    // Transactions that wait for each other in a circle cost a second and, often enough, the push.
    const retries = registry.retries() - retriesBefore
    retriesBefore = registry.retries()
    expect(retries).toBe(0)
  })

  /** Runs `work` so often at once, in all processes in turn. */
  function atOnce<T>(count: number, work: (process: TestProcess, i: number) => Promise<T>) {
    return Promise.all(
      Array.from({ length: count }, (_, i) =>
        work(processes[i % processes.length] ?? registry.first, i),
      ),
    )
  }

  async function projectId(name: string): Promise<number> {
    const project = await registry.first.projects.get(name)
    if (!project) throw new Error(`no project ${name}`)
    return project.id
  }

  const usage = async (name: string) => usageOf(registry.first.db.query, await projectId(name))

  test('two repositories of a project that link one blob count it once', async () => {
    for (let round = 0; round < 10; round++) {
      const bytes = noise(5_000, 100 + round)
      const project = `links-${round}`
      await atOnce(2, (process, i) => pushBlob(process, `${project}/app-${i}`, bytes))
      const rows = await registry.first.db.query
        .selectFrom('project_content')
        .select('links')
        .where('project', '=', await projectId(project))
        .execute()
      expect(rows).toEqual([{ links: 2 }])
      expect(await usage(project)).toEqual({ logicalBytes: 10_000, uniqueBytes: 5_000 })
    }
  })

  for (const size of [100, 50_000]) {
    test(`twenty that push the same ${size} bytes store them once`, async () => {
      const bytes = noise(size, 120)
      await atOnce(20, (process, i) => pushBlob(process, `same-${size}/app-${i % 3}`, bytes))
      const contents = await registry.first.db.query
        .selectFrom('content')
        .select('id')
        .where('sha256', '=', digestOf(bytes).slice('sha256:'.length))
        .execute()
      expect(contents.length).toBe(1)
      // Otherwise `problems` finds files that nothing names.
      expect(await registry.first.db.query.selectFrom('upload').select('id').execute()).toEqual([])
      expect(await usage(`same-${size}`)).toEqual({ logicalBytes: 3 * size, uniqueBytes: size })
      for (const i of [0, 1, 2]) {
        const read = await readBlob(registry.first, `same-${size}/app-${i}`, digestOf(bytes))
        expect(Buffer.compare(read, bytes)).toBe(0)
      }
    })
  }

  test('ten first pushes make one project and one repository', async () => {
    for (let round = 0; round < 5; round++) {
      const project = `first-${round}`
      await atOnce(10, (process, i) => pushBlob(process, `${project}/app`, noise(10, 130 + i)))
      const rows = await registry.first.db.query
        .selectFrom('project')
        .innerJoin('repository', 'repository.project', 'project.id')
        .select('repository.id')
        .where('project.name', '=', project)
        .execute()
      expect(rows.length).toBe(1)
      expect(await usage(project)).toEqual({ logicalBytes: 100, uniqueBytes: 100 })
    }
  })

  test('ten first images make one repository with ten tags', async () => {
    await atOnce(10, (process, i) =>
      pushImage(process, 'first-images/app', [noise(10, 150 + i), noise(5_000, 149)], {
        tag: `t${i}`,
      }),
    )
    const names = await registry.first.tags.names(nameOf('first-images/app'), { limit: 100 })
    expect(names.length).toBe(10)
  })

  async function expectChain(name: string, tag: string, writes: number) {
    const repository = await registry.first.repositories.find(nameOf(name))
    const rows = await registry.first.tags.history(repository?.id ?? 0, tag, { limit: 1000 })
    const chain = [...rows].reverse()
    expect(chain[0]?.oldDigest ?? null).toBeNull()
    for (const [i, row] of chain.entries()) {
      if (i > 0) expect(row.oldDigest).toBe(chain[i - 1]?.newDigest ?? '')
    }
    const head = await registry.first.manifests.head(nameOf(name), { kind: 'tag', tag })
    expect(chain.at(-1)?.newDigest).toBe(head.digest)
    expect(chain.length).toBeLessThanOrEqual(writes)
    return chain
  }

  async function manifestRows(name: string) {
    const repository = await registry.first.repositories.find(nameOf(name))
    return registry.first.db.query
      .selectFrom('manifest')
      .select(['digest', 'untagged_since', 'listed'])
      .where('repository', '=', repository?.id ?? 0)
      .execute()
  }

  test('fifty that write one tag leave one winner and an unbroken history', async () => {
    const name = 'tags/new'
    const config = noise(10, 160)
    await pushBlob(registry.first, name, config)
    const images = Array.from({ length: 50 }, (_, i) =>
      imageOf([config], { annotations: { i: `${i}` } }),
    )
    await atOnce(50, (process, i) =>
      pushManifest(process, name, images[i] ?? imageOf([config]), { tag: 'latest' }),
    )
    const chain = await expectChain(name, 'latest', 50)
    expect(chain.length).toBe(50)
    const tagged = (await manifestRows(name)).filter((row) => row.untagged_since === null)
    expect(tagged.map((row) => row.digest)).toEqual([chain.at(-1)?.newDigest ?? ''])
  })

  test('fifty that move one tag between two images get their way one after the other', async () => {
    const name = 'tags/moved'
    const config = noise(10, 161)
    const images = [
      await pushImage(registry.first, name, [config], { tag: 'a' }),
      await pushImage(registry.first, name, [config, noise(20)], { tag: 'b' }),
    ]
    await atOnce(50, (process, i) =>
      pushManifest(process, name, images[i % 2] ?? imageOf([config]), { tag: 'latest' }),
    )
    await expectChain(name, 'latest', 50)
  })

  test('fifty that put many tags on one image put them all', async () => {
    const name = 'tags/many'
    const image = await pushImage(registry.first, name, [noise(10, 162)], { tag: 'start' })
    await atOnce(50, (process, i) => pushManifest(process, name, image, { tag: `t${i}` }))
    expect((await registry.first.tags.names(nameOf(name), { limit: 100 })).length).toBe(51)
  })

  test('tags that change places end where somebody put them', async () => {
    const name = 'tags/swapped'
    const config = noise(10, 163)
    const [one, two] = [
      await pushImage(registry.first, name, [config], { tag: 'a' }),
      await pushImage(registry.first, name, [config, noise(20)], { tag: 'b' }),
    ]
    await atOnce(40, (process, i) =>
      pushManifest(process, name, i % 4 < 2 ? one : two, { tag: i % 2 === 0 ? 'a' : 'b' }),
    )
    for (const tag of ['a', 'b']) await expectChain(name, tag, 40)
    const rows = await manifestRows(name)
    const pointed = await Promise.all(
      ['a', 'b'].map((tag) => registry.first.manifests.head(nameOf(name), { kind: 'tag', tag })),
    )
    for (const row of rows) {
      const isTagged = pointed.some((head) => head.digest === row.digest)
      expect({ ...row, isTagged: row.untagged_since === null }).toEqual({ ...row, isTagged })
    }
  })

  test('images that share fresh layers, in any order, take each other for nothing', async () => {
    const name = 'shared/app'
    const layers = Array.from({ length: 6 }, (_, i) => noise(100, 170 + i))
    for (let round = 0; round < 5; round++) {
      for (const bytes of layers) await pushBlob(registry.first, `${name}-${round}`, bytes)
      await atOnce(12, (process, i) => {
        const order = i % 2 === 0 ? layers : [...layers].reverse()
        return pushManifest(
          process,
          `${name}-${round}`,
          imageOf(order, { annotations: { i: `${i}` } }),
          { tag: `t${i}` },
        )
      })
    }
    const rows = await registry.first.db.query
      .selectFrom('repository_blob')
      .innerJoin('repository', 'repository.id', 'repository_blob.repository')
      .innerJoin('project', 'project.id', 'repository.project')
      .select('unreferenced_since')
      .where('project.name', '=', 'shared')
      .execute()
    expect(rows.length).toBe(30)
    expect(rows.filter((row) => row.unreferenced_since !== null)).toEqual([])
  })

  async function createProject(name: string, quota: number): Promise<number> {
    const { db, projects } = registry.first
    const created = await db.transaction((tx) =>
      projects.create(tx, { name, isPublic: false, quota, createdBy: null }),
    )
    return created.id
  }

  test('a hundred pushes at the edge of the quota never exceed it', async () => {
    await createProject('edge', 50_000)
    const results = await atOnce(100, (process, i) =>
      codeOf(pushBlob(process, `edge/app-${i % 5}`, noise(1_000 + (i % 7), 200 + i))),
    )
    const { uniqueBytes, logicalBytes } = await usage('edge')
    expect(uniqueBytes).toBeLessThanOrEqual(50_000)
    // What was refused would not have fitted.
    expect(uniqueBytes).toBeGreaterThan(50_000 - 1_007)
    expect(logicalBytes).toBe(uniqueBytes)
    expect(new Set(results)).toEqual(new Set(['none', 'quota_exceeded']))
    const stored = results.reduce(
      (sum, code, i) => sum + (code === 'none' ? 1_000 + (i % 7) : 0),
      0,
    )
    expect(stored).toBe(uniqueBytes)
  })

  test('manifests at the edge of the quota count too', async () => {
    const config = noise(100, 340)
    const image = (i: number) => imageOf([config], { annotations: { i: String(1_000 + i) } })
    const size = image(0).bytes.length
    await createProject('edge-manifests', 100 + 5 * size + 10)
    await pushBlob(registry.first, 'edge-manifests/app', config)
    const results = await atOnce(20, (process, i) =>
      codeOf(pushManifest(process, 'edge-manifests/app', image(i), { tag: `t${i}` })),
    )
    expect(results.filter((code) => code === 'none').length).toBe(5)
    expect((await usage('edge-manifests')).uniqueBytes).toBe(100 + 5 * size)
  })

  test('a quota that is set while pushes run counts them all', async () => {
    for (let round = 0; round < 4; round++) {
      const name = `limited-${round}`
      const id = await createProject(name, -1)
      const setQuota = (process: TestProcess, quota: number) =>
        process.db.transaction((tx) => process.projects.update(tx, id, { quota }))
      await atOnce(40, async (process, i) => {
        if (i === 10) await setQuota(process, 20_000)
        else if (i === 25) await setQuota(process, -1)
        else if (i === 30) await setQuota(process, 15_000)
        else
          await codeOf(
            pushBlob(process, `${name}/app-${i % 3}`, noise(1_000, 400 + round * 50 + i)),
          )
      })
      const rows = await registry.first.db.query
        .selectFrom('project_content')
        .innerJoin('content', 'content.id', 'project_content.content')
        .select('size')
        .where('project', '=', id)
        .execute()
      const counted = rows.reduce((sum, row) => sum + row.size, 0)
      expect((await usage(name)).uniqueBytes).toBe(counted)
      // Now that all is quiet the limit holds, whichever was set last.
      const quota = (await registry.first.projects.get(id))?.quota ?? -1
      const fits = quota < 0 || counted + 1_000 <= quota
      const push = pushBlob(registry.first, `${name}/app-0`, noise(1_000, 990 + round))
      expect(await codeOf(push)).toBe(fits ? 'none' : 'quota_exceeded')
    }
  })

  test('sums that several processes fold while pushes run stay exact', async () => {
    const limited = await createProject('fold-limited', 1_000_000)
    await atOnce(4, async (process, worker) => {
      for (let i = 0; i < 12; i++) {
        await pushBlob(process, `fold-${i % 3}/app-${worker}`, noise(50, 600 + i))
        await pushImage(process, `fold-limited/app-${worker}`, [noise(60, 620 + i + worker)], {
          tag: `t${i}`,
        })
        await foldUsage(process.db, 7)
      }
    })
    const expected = await usageOf(registry.first.db.query, limited)
    while ((await foldUsage(registry.first.db)) > 0);
    expect(await registry.first.db.query.selectFrom('usage_delta').select('id').execute()).toEqual(
      [],
    )
    expect(await usageOf(registry.first.db.query, limited)).toEqual(expected)
    for (const i of [0, 1, 2]) {
      expect(await usage(`fold-${i}`)).toEqual({ logicalBytes: 4 * 4 * 50, uniqueBytes: 4 * 50 })
    }
    const repositories = await registry.first.repositories.list(limited, { limit: 10 })
    expect(repositories.map((row) => [row.tag_count, row.manifest_count])).toEqual(
      Array.from({ length: 4 }, () => [12, 12]),
    )
  })
})

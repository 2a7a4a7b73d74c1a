import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createLog } from '../lib/log.ts'
import type { Db } from '../store/db/database.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import { createArtifactList, type ListedArtifact } from './artifact-list.ts'
import { createInstallation } from './installation.ts'
import { createProjectList } from './project-list.ts'
import { createPulls } from './pulls.ts'
import { createRepositoryList } from './repository-list.ts'
import {
  createTestRegistry,
  imageOf,
  indexOf,
  nameOf,
  noise,
  pushBlob,
  pushImage,
  pushManifest,
  refTo,
  type TestManifest,
  type TestRegistry,
} from './test-registry.ts'
import { foldUsage } from './usage.ts'

/* The lists with pages and totals, as faces whose callers count pages see them. */

const ALL = { offset: 0, limit: undefined }

onEachEngine('lists with totals', (create) => {
  let registry: TestRegistry
  let db: Db
  beforeAll(async () => {
    registry = await createTestRegistry(create, { sparse: true })
    db = registry.first.db
  })
  afterAll(() => registry.remove())

  async function artifactsOf(path: string): Promise<ListedArtifact[]> {
    const { project, path: repository } = nameOf(path)
    const id = (await registry.first.projects.get(project))?.id ?? 0
    const found = await createArtifactList({ db }).page(id, repository, ALL)
    if (!found) throw new Error(`no repository ${path}`)
    expect(found.total).toBe(found.items.length)
    return found.items
  }

  const digestsOf = (items: ListedArtifact[]) => items.map(({ digest }) => digest)
  const sizeOf = (...manifests: TestManifest[]) =>
    manifests.reduce((sum, manifest) => sum + manifest.bytes.length, 0)

  describe('of artifacts', () => {
    test('an index has its children inside, and their sizes once', async () => {
      const { first } = registry
      const [config, layer] = [noise(30, 1), noise(50, 2)]
      const arm = await pushImage(first, 'list/index', [config, layer])
      const amd = await pushImage(first, 'list/index', [noise(20, 3), layer])
      const absent = imageOf([noise(5, 9)])
      const platform = { architecture: 'arm64', os: 'linux', variant: 'v8' }
      const inner = indexOf([{ ...refTo(arm), platform }, refTo(amd)])
      const outer = indexOf([
        { ...refTo(inner), platform: { architecture: 7 } },
        { ...refTo(arm), platform },
        refTo(absent),
        { mediaType: 'application/vnd.acme.cache', digest: `sha256:${'0'.repeat(64)}`, size: 9 },
      ])
      await pushManifest(first, 'list/index', inner)
      await pushManifest(first, 'list/index', outer, { tag: 'v1' })
      const [artifact, ...others] = await artifactsOf('list/index')
      expect(others).toEqual([])
      expect(artifact).toMatchObject({
        digest: outer.digest,
        kind: 'index',
        size: sizeOf(outer, inner, arm, amd) + 30 + 50 + 20 + 50,
      })
      const children = artifact?.children.map(({ id, ...child }) => ({ ...child, is: !!id }))
      expect(children).toEqual([
        { digest: inner.digest, architecture: '', os: '', is: true },
        { digest: arm.digest, architecture: 'arm64', os: 'linux', is: true },
        { digest: absent.digest, architecture: '', os: '', is: false },
        { digest: `sha256:${'0'.repeat(64)}`, architecture: '', os: '', is: false },
      ])
    })

    test('children, signatures and referrers are none of their own', async () => {
      const { first } = registry
      const image = await pushImage(first, 'list/parts', [noise(8, 11)], { tag: 'b' })
      await pushManifest(first, 'list/parts', image, { tag: 'a' })
      const untagged = await pushImage(first, 'list/parts', [noise(8, 12)])
      await pushImage(first, 'list/parts', [noise(8, 13)], {
        tag: `${image.digest.replace(':', '-')}.att`,
      })
      await pushImage(first, 'list/parts', [noise(8, 14)], {
        more: { artifactType: 'application/spdx+json', subject: refTo(image) },
      })
      const items = await artifactsOf('list/parts')
      expect(digestsOf(items)).toEqual([untagged.digest, image.digest])
      expect(items.map(({ tags }) => tags.map(({ name }) => name))).toEqual([[], ['a', 'b']])
      expect(items.map(({ signed }) => signed)).toEqual([false, false])
      // A child that somebody tags is one again.
      await pushManifest(first, 'list/parts', indexOf([refTo(untagged)]), { tag: 'index' })
      expect(digestsOf(await artifactsOf('list/parts'))).not.toContain(untagged.digest)
      await pushManifest(first, 'list/parts', untagged, { tag: 'c' })
      expect(digestsOf(await artifactsOf('list/parts'))).toContain(untagged.digest)
    })

    test.each([
      ['cosign, by a tag', 'tag', {}, true],
      ['cosign, before bundles', 'application/vnd.dev.cosign.artifact.sig.v1+json', {}, true],
      ['notation', 'application/vnd.cncf.notary.signature', {}, true],
      ['a bundle', 'application/vnd.dev.sigstore.bundle.v0.3+json', {}, true],
      [
        'a bundle with a signature',
        'application/vnd.dev.sigstore.bundle.v0.3+json',
        { 'dev.sigstore.bundle.predicateType': 'https://sigstore.dev/cosign/sign/v1' },
        true,
      ],
      [
        'a bundle with provenance',
        'application/vnd.dev.sigstore.bundle.v0.3+json',
        { 'dev.sigstore.bundle.predicateType': 'https://slsa.dev/provenance/v1' },
        false,
      ],
      ['a list of contents', 'application/spdx+json', {}, false],
    ] as const)('%s signs, or not', async (how, artifactType, annotations, signs) => {
      const { first } = registry
      const path = `list/signed-${how.replaceAll(/[^a-z]+/g, '-')}`
      const image = await pushImage(first, path, [noise(8, 20)], { tag: 'v1' })
      if (artifactType === 'tag') {
        const tag = `${image.digest.replace(':', '-')}.sig`
        await pushImage(first, path, [noise(8, 21)], { tag })
      } else {
        const more = { artifactType, annotations, subject: refTo(image) }
        await pushImage(first, path, [noise(8, 21)], { more })
      }
      expect(await artifactsOf(path)).toMatchObject([{ digest: image.digest, signed: signs }])
    })

    test('pages have the total, also behind the last one, before and after folding', async () => {
      const { first } = registry
      for (let i = 0; i < 5; i++) await pushImage(first, 'list/pages', [noise(9, 30 + i)])
      const id = (await first.projects.get('list'))?.id ?? 0
      const list = createArtifactList({ db })
      for (const fold of [false, true]) {
        if (fold) while ((await foldUsage(db)) > 0) {}
        const page = (offset: number) => list.page(id, 'pages', { offset, limit: 2 })
        expect(await page(0)).toMatchObject({ total: 5, items: [{}, {}] })
        expect(await page(4)).toMatchObject({ total: 5, items: [{}] })
        expect(await page(6)).toEqual({ total: 5, items: [] })
      }
      expect(await list.page(id, 'none', ALL)).toBeUndefined()
    })
  })

  describe('of repositories', () => {
    test('count what there is, and tags of people only', async () => {
      const { first } = registry
      await pushImage(first, 'repos/b', [noise(8, 40)], { tags: ['x', 'y'], tag: 'z' })
      const image = await pushImage(first, 'repos/a/deep', [noise(8, 41)])
      const signature = `${image.digest.replace(':', '-')}.sig`
      await pushImage(first, 'repos/a/deep', [noise(8, 42)], { tag: signature })
      await db.transaction((tx) =>
        first.repositories.create(tx, nameOf('repos/empty'), { summary: 's' }, null),
      )
      const project = (await first.projects.get('repos'))?.id ?? 0
      const list = createRepositoryList({ db })
      const ofProject = () => list.page({ of: { project }, ...ALL })
      for (const fold of [false, true]) {
        if (fold) while ((await foldUsage(db)) > 0) {}
        const { total, items } = await ofProject()
        expect(total).toBe(3)
        expect(items.map(({ name, tagCount }) => [name, tagCount])).toEqual([
          ['a/deep', 0],
          ['b', 3],
          ['empty', 0],
        ])
      }
      await db.transaction((tx) =>
        first.repositories.remove(tx, nameOf('repos/empty'), null, 'test'),
      )
      expect(await ofProject()).toMatchObject({ total: 2 })
      const second = await list.page({ of: { project }, offset: 1, limit: 1 })
      expect(second).toMatchObject({ total: 2, items: [{ name: 'b' }] })
      const named = await list.page({ of: { project }, ...ALL, nameHas: 'deep' })
      expect(named).toMatchObject({ total: 1, items: [{ name: 'a/deep' }] })
      expect(await list.get(project, 'b')).toMatchObject({ project: 'repos', tagCount: 3 })
      expect(await list.get(project, 'none')).toBeUndefined()
    })

    test('and projects are those that one may see', async () => {
      const { first } = registry
      const names = ['seen-public', 'seen-member', 'seen-not']
      const { id: account } = await db.query
        .insertInto('account')
        .values({
          kind: 'user',
          name: 'viewer',
          email: null,
          project: null,
          expires_at: null,
          created_at: 1,
          updated_at: 1,
        })
        .returning('id')
        .executeTakeFirstOrThrow()
      for (const name of names) {
        await db.transaction((tx) =>
          first.projects.create(tx, {
            name,
            isPublic: name === 'seen-public',
            createdBy: name === 'seen-member' ? account : null,
          }),
        )
        await pushImage(first, `${name}/app`, [noise(8, 50)], { tag: 'v1' })
      }
      const projects = createProjectList({ db })
      const repositories = createRepositoryList({ db })
      for (const [viewer, expected] of [
        ['all', names],
        [account, ['seen-public', 'seen-member']],
        [null, ['seen-public']],
      ] as const) {
        const ofProjects = await projects.page({ viewer, ...ALL, nameHas: 'seen-' })
        expect(ofProjects.items.map(({ name }) => name)).toEqual([...expected].sort())
        expect(ofProjects.total).toBe(expected.length)
        const everything = await repositories.page({ of: { viewer }, ...ALL })
        const seen = everything.items.filter(({ project }) => project.startsWith('seen-'))
        expect(seen.map(({ project }) => project)).toEqual([...expected])
        expect(everything.total).toBe(everything.items.length)
      }
    })

    test('show what a project is charged with', async () => {
      const { first } = registry
      await pushBlob(first, 'charged/app', noise(5_000, 60))
      const list = createProjectList({ db })
      for (const fold of [false, true]) {
        if (fold) while ((await foldUsage(db)) > 0) {}
        const { items } = await list.page({ viewer: 'all', ...ALL, nameHas: 'charged' })
        expect(items).toMatchObject([{ uniqueBytes: 5_000, quota: -1 }])
      }
    })
  })

  test('pulls are written in batches, to the second, and never backwards', async () => {
    const { first } = registry
    const image = await pushImage(first, 'list/pulled', [noise(8, 70)], { tag: 'v1' })
    const name = nameOf('list/pulled')
    const problems: string[] = []
    const log = createLog({ level: 'warn', format: 'json', output: (line) => problems.push(line) })
    let now = Date.parse('2026-03-01T12:00:00.900Z')
    const pulls = createPulls({ db, clock: () => now, log })
    const byTag = await first.manifests.get(name, { kind: 'tag', tag: 'v1' })
    const byDigest = await first.manifests.get(name, { kind: 'digest', digest: image.digest })
    expect(byDigest.tagId).toBeUndefined()
    const times = async () => {
      const [artifact] = await artifactsOf('list/pulled')
      return [artifact?.pulledAt, artifact?.tags[0]?.pulledAt]
    }

    pulls.note({ manifest: byTag.id, tag: byTag.tagId })
    expect(await times()).toEqual([null, null])
    await pulls.flush()
    const noon = Date.parse('2026-03-01T12:00:00Z')
    expect(await times()).toEqual([noon, noon])

    now += 5_000
    pulls.note({ manifest: byDigest.id })
    await pulls.flush()
    expect(await times()).toEqual([noon + 5_000, noon])

    now -= 60_000
    pulls.note({ manifest: byTag.id, tag: byTag.tagId })
    pulls.note({ manifest: 999_999, tag: 999_999 })
    await pulls.stop()
    expect(await times()).toEqual([noon + 5_000, noon])
    expect(problems).toEqual([])
  })

  test('an installation has one id in all processes', async () => {
    const ids = await Promise.all(
      [1, 2, 3].map(() => createInstallation({ db: registry.anotherProcess().db }).id()),
    )
    expect(new Set(ids).size).toBe(1)
    expect(ids[0]).toMatch(/^1\d{18}$/)
  })

  test('what is counted is what verify counts', async () => {
    expect(await registry.problems()).toEqual([])
  })
})

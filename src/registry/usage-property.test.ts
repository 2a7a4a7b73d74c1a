import { afterAll, beforeAll, expect, test } from 'bun:test'
import fc from 'fast-check'
import { codeOf } from '../accounts/test-accounts.ts'
import type { Digest, DigestAlgorithm } from '../oci/digest.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import {
  createTestRegistry,
  digestOf,
  imageOf,
  nameOf,
  noise,
  pushBlob,
  pusher,
  pushManifest,
  type TestProcess,
  type TestRegistry,
} from './test-registry.ts'
import { foldUsage, usageOf } from './usage.ts'

/*
 * Whatever is pushed, mounted and deleted in whatever order: usage is what a few maps in memory
 * say, and so are the counters of repositories.
 */

const PROJECTS = ['one', 'two']
const PATHS = ['app', 'lib/deep']
const TAGS = ['latest', 'v1']
const LAYERS = [noise(3, 1), noise(900, 2), noise(4_096, 3), noise(5_000, 4)]
const IMAGES = [[0], [0, 1], [1, 2, 3], [3, 3], []].map((layers) =>
  imageOf(layers.map((i) => LAYERS[i] ?? noise(0))),
)
const CHILDREN = [[0], [0, 1], [1, 2, 3], [3], []]
/** The bytes of a manifest may come as a blob too: one content, two links. */
const BLOBS = [...LAYERS, IMAGES[1]?.bytes ?? noise(0)]

interface Repository {
  /** Digest → size. */
  blobs: Map<string, number>
  /** Image → its tags. */
  manifests: Map<number, Set<string>>
}

type Model = Map<string, Repository>

const at = fc.record({
  project: fc.constantFrom(...PROJECTS),
  path: fc.constantFrom(...PATHS),
})
const blob = fc.nat(BLOBS.length - 1)
const algorithm = fc.constantFrom<DigestAlgorithm>('sha256', 'sha256', 'sha512')
const image = fc.nat(IMAGES.length - 1)
const tag = fc.constantFrom(...TAGS, '')
const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant('push' as const), at, blob, algorithm }) },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant('mount' as const), at, from: at, blob, algorithm }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('remove blob' as const), at, blob, algorithm }),
  },
  { weight: 6, arbitrary: fc.record({ what: fc.constant('put' as const), at, image, tag }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('remove manifest' as const), at, image }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('remove tag' as const), at, tag }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('remove repository' as const), at }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('fold' as const) }) },
)
type Operation = typeof operation extends fc.Arbitrary<infer O> ? O : never

onEachEngine('usage', (create) => {
  let registry: TestRegistry
  let processes: TestProcess[]
  let runs = 0

  beforeAll(async () => {
    registry = await createTestRegistry(create)
    processes = [registry.first, registry.anotherProcess()]
  })
  afterAll(() => registry.remove())

  /** Does the operation, and says what the maps expect of it. */
  async function apply(process: TestProcess, model: Model, suffix: string, op: Operation) {
    if (op.what === 'fold') {
      await foldUsage(process.db, 3)
      return
    }
    const name = `${op.at.project}-${suffix}/${op.at.path}`
    const repository = model.get(name)
    switch (op.what) {
      case 'push': {
        const bytes = BLOBS[op.blob] ?? noise(0)
        const digest = await pushBlob(process, name, bytes, { algorithm: op.algorithm })
        open(model, name).blobs.set(digest, bytes.length)
        return
      }
      case 'mount': {
        const bytes = BLOBS[op.blob] ?? noise(0)
        const digest = digestOf(bytes, op.algorithm)
        const source = `${op.from.project}-${suffix}/${op.from.path}`
        const mounted = await process.blobs.mount({
          target: nameOf(name),
          source: nameOf(source),
          digest,
          principal: { kind: 'user', account: 1, name: 'root', isAdmin: true },
          pusher,
        })
        expect(mounted).toBe(model.get(source)?.blobs.has(digest) ?? false)
        if (mounted) open(model, name).blobs.set(digest, bytes.length)
        return
      }
      case 'remove blob': {
        const digest = digestOf(BLOBS[op.blob] ?? noise(0), op.algorithm)
        const code = await codeOf(process.blobs.remove(nameOf(name), digest))
        const inUse = [...(repository?.manifests.keys() ?? [])].some((i) =>
          childrenOf(i).includes(digest),
        )
        const expected = !repository
          ? 'repository_unknown'
          : !repository.blobs.has(digest)
            ? 'blob_unknown'
            : inUse
              ? 'in_use'
              : 'none'
        expect(code).toBe(expected)
        if (code === 'none') repository?.blobs.delete(digest)
        return
      }
      case 'put': {
        const manifest = IMAGES[op.image]
        if (!manifest) return
        const complete = childrenOf(op.image).every((child) => repository?.blobs.has(child))
        const code = await codeOf(pushManifest(process, name, manifest, { tag: op.tag }))
        expect(code).toBe(complete ? 'none' : 'manifest_blob_unknown')
        if (code !== 'none') return
        const target = open(model, name)
        if (op.tag) for (const tags of target.manifests.values()) tags.delete(op.tag)
        const tags = target.manifests.get(op.image) ?? new Set()
        if (op.tag) tags.add(op.tag)
        target.manifests.set(op.image, tags)
        return
      }
      case 'remove manifest': {
        const digest = IMAGES[op.image]?.digest ?? digestOf(noise(0))
        const code = await codeOf(process.manifests.remove(nameOf(name), digest, null))
        expect(code).toBe(
          !repository
            ? 'repository_unknown'
            : repository.manifests.delete(op.image)
              ? 'none'
              : 'manifest_unknown',
        )
        return
      }
      case 'remove tag': {
        const code = await codeOf(process.tags.remove(nameOf(name), op.tag || 'none', null))
        const holder = [...(repository?.manifests.values() ?? [])].find((tags) => tags.has(op.tag))
        expect(code).toBe(
          !repository ? 'repository_unknown' : holder?.delete(op.tag) ? 'none' : 'manifest_unknown',
        )
        return
      }
      case 'remove repository': {
        const code = await codeOf(
          process.db.transaction((tx) =>
            process.repositories.remove(tx, nameOf(name), null, 'test'),
          ),
        )
        expect(code).toBe(model.delete(name) ? 'none' : 'repository_unknown')
      }
    }
  }

  async function expectModel(model: Model, suffix: string, limited: boolean) {
    const { db, projects, repositories } = registry.first
    for (const short of PROJECTS) {
      const project = await projects.get(`${short}-${suffix}`)
      if (!project) {
        expect([...model.keys()].some((name) => name.startsWith(`${short}-`))).toBe(false)
        continue
      }
      expect(project.quota).toBe(limited ? 10_000_000 : -1)
      const own = [...model].filter(([name]) => name.startsWith(`${short}-`))
      let logicalBytes = 0
      const contents = new Map<string, number>()
      const counters = new Map<string, number[]>()
      for (const [name, { blobs, manifests }] of own) {
        let logical = 0
        for (const [digest, size] of blobs) {
          const bytes = BLOBS.find((one) =>
            [digestOf(one), digestOf(one, 'sha512')].includes(digest as Digest),
          )
          contents.set(digestOf(bytes ?? noise(0)), size)
          logical += size
        }
        for (const i of manifests.keys()) {
          const manifest = IMAGES[i]
          if (!manifest) continue
          contents.set(manifest.digest, manifest.bytes.length)
          logical += manifest.bytes.length
        }
        logicalBytes += logical
        const tags = [...manifests.values()].reduce((sum, set) => sum + set.size, 0)
        counters.set(nameOf(name).path, [logical, manifests.size, tags])
      }
      const uniqueBytes = [...contents.values()].reduce((sum, size) => sum + size, 0)
      expect(await usageOf(db.query, project.id)).toEqual({ logicalBytes, uniqueBytes })
      while ((await foldUsage(db, 4)) > 0);
      expect(await usageOf(db.query, project.id)).toEqual({ logicalBytes, uniqueBytes })
      const rows = await repositories.list(project.id, { limit: 100 })
      expect(
        new Map(
          rows.map((row) => [row.name, [row.logical_bytes, row.manifest_count, row.tag_count]]),
        ),
      ).toEqual(counters)
    }
  }

  for (const limited of [false, true]) {
    test(`of ${limited ? 'limited' : 'unlimited'} projects is the sum of what is there`, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(operation, { minLength: 15, maxLength: 50 }),
          async (operations) => {
            const suffix = `r${++runs}`
            const model: Model = new Map()
            if (limited) {
              for (const short of PROJECTS) {
                await registry.first.db.transaction((tx) =>
                  registry.first.projects.create(tx, {
                    name: `${short}-${suffix}`,
                    isPublic: false,
                    quota: 10_000_000,
                    createdBy: null,
                  }),
                )
              }
            }
            for (const [i, op] of operations.entries()) {
              await apply(processes[i % 2] ?? registry.first, model, suffix, op)
            }
            await expectModel(model, suffix, limited)
          },
        ),
        { numRuns: 15 },
      )
      expect(await registry.problems()).toEqual([])
      expect(registry.retries()).toBe(0)
    })
  }
})

function open(model: Model, name: string): Repository {
  const known = model.get(name)
  if (known) return known
  const made: Repository = { blobs: new Map(), manifests: new Map() }
  model.set(name, made)
  return made
}

/** The digests that an image needs. */
function childrenOf(index: number): string[] {
  const layers = CHILDREN[index] ?? []
  if (layers.length === 0) return [digestOf(noise(0))]
  return layers.map((i) => digestOf(LAYERS[i] ?? noise(0)))
}

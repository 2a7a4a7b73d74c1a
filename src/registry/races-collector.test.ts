import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import type { Principal } from '../accounts/principal.ts'
import { codeOf } from '../accounts/test-accounts.ts'
import type { Digest } from '../oci/digest.ts'
import type { Db } from '../store/db/database.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import { collect as collectBefore } from './test-collector.ts'
import {
  createTestRegistry,
  digestOf,
  imageOf,
  nameOf,
  noise,
  pushBlob,
  pusher,
  pushImage,
  pushManifest,
  readBlob,
  type TestProcess,
  type TestRegistry,
} from './test-registry.ts'

const root: Principal = { kind: 'user', account: 1, name: 'root', isAdmin: true }
const hex = (digest: Digest) => digest.slice('sha256:'.length)

onEachEngine('the collector beside', (create) => {
  let registry: TestRegistry
  let processes: TestProcess[]
  let first: TestProcess

  beforeAll(async () => {
    registry = await createTestRegistry(create)
    first = registry.first
    processes = [first, registry.anotherProcess(), registry.anotherProcess()]
  })
  afterAll(() => registry.remove())
  afterEach(async () => {
    expect(await registry.problems()).toEqual([])
    expect(registry.retries()).toBe(0)
  })

  /** As a collector that waits until what it takes was unreferenced for a moment. */
  const collect = (db: Db, digest: Digest) => collectBefore(db, hex(digest), registry.clock())

  /** As one that does not wait at all. */
  const collectNow = (db: Db, digest: Digest) =>
    collectBefore(db, hex(digest), registry.clock() + 1)

  const process = (i: number) => processes[i % processes.length] ?? first

  function contents(digest: Digest) {
    return first.db.query
      .selectFrom('content')
      .select(['id', 'state', 'storage_key'])
      .where('sha256', '=', hex(digest))
      .orderBy('id')
      .execute()
  }

  function mount(by: TestProcess, digest: Digest, source: string, target: string) {
    return by.blobs.mount({
      target: nameOf(target),
      source: nameOf(source),
      digest,
      principal: root,
      pusher,
    })
  }

  for (const size of [100, 9_000]) {
    test(`an upload of the same ${size} bytes makes a new content with a new key`, async () => {
      const bytes = noise(size, size)
      const name = `anew/app-${size}`
      const digest = await pushBlob(first, name, bytes)
      expect(await collect(first.db, digest)).toBe(0)
      registry.pass(1)
      expect(await collect(first.db, digest)).toBe(1)
      expect(await codeOf(first.blobs.get(nameOf(name), digest))).toBe('blob_unknown')
      expect(await mount(first, digest, name, 'anew/mounted')).toBe(false)
      const put = pushManifest(first, name, imageOf([bytes]))
      expect(await codeOf(put)).toBe('manifest_blob_unknown')

      await pushBlob(process(1), name, bytes)
      const [old, fresh, ...more] = await contents(digest)
      expect(more).toEqual([])
      expect([old?.state, fresh?.state]).toEqual(['deleting', 'live'])
      if (size > 4096) expect(fresh?.storage_key).not.toBe(old?.storage_key ?? '')
      expect(Buffer.compare(await readBlob(first, name, digest), bytes)).toBe(0)
      await pushManifest(first, name, imageOf([bytes]))
      expect(await collect(first.db, digest)).toBe(0)
    })

    test(`uploads of the same ${size} bytes: who was told yes can read them`, async () => {
      for (let round = 0; round < 12; round++) {
        const bytes = noise(size, 1_000 + size + round)
        const digest = await pushBlob(first, 'commit/old', bytes)
        await first.blobs.remove(nameOf('commit/old'), digest)
        const [taken] = await Promise.all([
          collect(process(0).db, digest),
          pushBlob(process(1), 'commit/a', bytes),
          pushBlob(process(2), 'commit/b', bytes),
          pushBlob(process(1), 'commit/b', bytes),
        ])
        const states = (await contents(digest)).map((row) => row.state)
        expect(states).toEqual(taken === 1 ? ['deleting', 'live'] : ['live'])
        for (const name of ['commit/a', 'commit/b']) {
          expect(Buffer.compare(await readBlob(first, name, digest), bytes)).toBe(0)
        }
      }
    })
  }

  test('mounts: who was told yes can read it', async () => {
    for (let round = 0; round < 15; round++) {
      const bytes = noise(9_000, 2_000 + round)
      const digest = await pushBlob(first, 'mount/old', bytes)
      registry.pass(1)
      const [, ...mounted] = await Promise.all([
        collect(process(0).db, digest),
        mount(process(1), digest, 'mount/old', `mount/a-${round}`),
        mount(process(2), digest, 'mount/old', `mount/b-${round}`),
      ])
      for (const [i, name] of [`mount/a-${round}`, `mount/b-${round}`].entries()) {
        const get = codeOf(first.blobs.get(nameOf(name), digest))
        expect(await get).toBe(mounted[i] ? 'none' : 'blob_unknown')
      }
    }
  })

  test('manifests: what was pushed has its blobs, and what has not is refused', async () => {
    for (let round = 0; round < 20; round++) {
      const [config, layer] = [noise(50, 3_000 + round), noise(9_000, 3_100 + round)]
      const name = `manifest/app-${round % 4}`
      await pushBlob(first, name, config)
      const digest = await pushBlob(first, name, layer)
      registry.pass(1)
      const [code] = await Promise.all([
        codeOf(pushManifest(process(1), name, imageOf([config, layer]), { tag: `t${round}` })),
        collect(process(0).db, digest),
        collect(process(2).db, digestOf(config)),
      ])
      expect(['none', 'manifest_blob_unknown']).toContain(code)
      if (code === 'none') {
        expect(Buffer.compare(await readBlob(first, name, digest), layer)).toBe(0)
        expect(await collect(first.db, digest)).toBe(0)
      }
    }
  })

  test('deletions and pushes of images that share a layer never lose it for a live one', async () => {
    const layer = noise(9_000, 4_000)
    const digest = digestOf(layer)
    const name = 'churn/app'
    for (let round = 0; round < 10; round++) {
      const old = await pushImage(first, name, [noise(20, 4_100 + round), layer])
      const config = noise(20, 4_200 + round)
      await pushBlob(first, name, config)
      await Promise.all([
        process(0).manifests.remove(nameOf(name), old.digest, null),
        codeOf(pushManifest(process(1), name, imageOf([config, layer]), { tag: 'latest' })),
        collectNow(process(2).db, digest),
        pushBlob(process(1), name, layer),
        collectNow(process(0).db, digest),
      ])
      // `problems` looks whether every live manifest has its blobs.
      expect(await registry.problems()).toEqual([])
    }
  })

  test('a repository whose blob lost its content gets the new one with the next push', async () => {
    const bytes = noise(9_000, 5_000)
    const digest = await pushBlob(first, 'relink/app', bytes)
    await first.db.query
      .updateTable('content')
      .set({ state: 'deleting' })
      .where('sha256', '=', hex(digest))
      .execute()
    await Promise.all(
      Array.from({ length: 6 }, (_, i) => pushBlob(process(i), 'relink/app', bytes)),
    )
    expect(Buffer.compare(await readBlob(first, 'relink/app', digest), bytes)).toBe(0)
  })
})

import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { codeOf } from '../accounts/test-accounts.ts'
import { AppError } from '../lib/errors.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import {
  bodyOf,
  createTestRegistry,
  digestOf,
  noise,
  ownerOf,
  pusher,
  readBlob,
  type TestProcess,
  type TestRegistry,
} from './test-registry.ts'

const authorizeCommit = async () => pusher

/** A body that breaks after its chunks, as when the client goes away. */
async function* brokenBody(...chunks: Uint8Array[]) {
  yield* chunks
  throw new AppError('upload_invalid', 'the client went away')
}

onEachEngine('failures of uploads', (create) => {
  let registry: TestRegistry
  let first: TestProcess
  let names = 0

  beforeAll(async () => {
    registry = await createTestRegistry(create)
    first = registry.first
  })
  afterAll(() => registry.remove())
  afterEach(async () => expect(await registry.problems()).toEqual([]))

  async function begin(prefix: Uint8Array, process = first) {
    const name = `failures/app-${++names}`
    const owner = ownerOf(name)
    const { id } = await process.uploads.start(owner)
    if (prefix.length > 0) await process.uploads.append(id, owner, bodyOf(prefix))
    return { name, owner, id }
  }

  async function storedKeys(): Promise<string[]> {
    const keys: string[] = []
    for await (const { key } of registry.store.list()) keys.push(key)
    return keys.sort()
  }

  /** Finishes the session with the rest of `whole` and compares what is stored then. */
  async function finishRest(
    process: TestProcess,
    { name, owner, id }: Awaited<ReturnType<typeof begin>>,
    whole: Uint8Array,
  ) {
    const { offset } = await process.uploads.status(id, owner)
    const body = bodyOf(whole.subarray(offset))
    await process.uploads.finish(id, owner, {
      digest: digestOf(whole),
      body,
      start: offset,
      authorizeCommit,
    })
    expect(Buffer.compare(await readBlob(first, name, digestOf(whole)), whole)).toBe(0)
  }

  for (const [prefix, chunk] of [
    [0, 10],
    [10, 5_000],
    [5_000, 10],
    [5_000, 2_500_000],
  ] as const) {
    test(`a body that breaks after ${prefix} and ${chunk} bytes keeps what arrived`, async () => {
      const whole = noise(prefix + chunk + 1_000, prefix + chunk)
      const session = await begin(whole.subarray(0, prefix))
      const body = brokenBody(whole.subarray(prefix, prefix + chunk))
      const append = first.uploads.append(session.id, session.owner, body)
      expect(await codeOf(append)).toBe('upload_invalid')
      expect(await first.uploads.status(session.id, session.owner)).toEqual({
        offset: prefix + chunk,
      })
      await finishRest(registry.anotherProcess(), session, whole)
    })

    test(`a commit whose body breaks after ${prefix} and ${chunk} bytes leaves the session as it was`, async () => {
      const whole = noise(prefix + chunk + 1_000, prefix + chunk + 1)
      const session = await begin(whole.subarray(0, prefix))
      const body = brokenBody(whole.subarray(prefix, prefix + chunk))
      const finish = first.uploads.finish(session.id, session.owner, {
        digest: digestOf(whole),
        body,
        authorizeCommit,
      })
      expect(await codeOf(finish)).toBe('upload_invalid')
      expect(await first.uploads.status(session.id, session.owner)).toEqual({ offset: prefix })
      await finishRest(registry.anotherProcess(), session, whole)
    })
  }

  test('a single request whose body breaks leaves nothing', async () => {
    const before = await storedKeys()
    for (const size of [10, 10_000]) {
      const single = first.uploads.single(ownerOf('failures/single'), {
        digest: digestOf(noise(size)),
        body: brokenBody(noise(size)),
        authorizeCommit,
      })
      expect(await codeOf(single)).toBe('upload_invalid')
    }
    expect(await storedKeys()).toEqual(before)
    expect(await first.db.query.selectFrom('upload').select('id').execute()).toEqual([])
  })

  /** A store that is full while `full.at` says so, at one of its steps. */
  function fullStore(full: { at: string }) {
    const demand = (step: string) => {
      if (full.at === step) throw new AppError('storage_full', 'the disk is full')
    }
    return (store: BlobStore): BlobStore => ({
      ...store,
      async append(...given) {
        demand('append')
        const appender = await store.append(...given)
        return {
          ...appender,
          async write(chunk) {
            demand('write')
            await appender.write(chunk)
          },
          async checkpoint() {
            demand('checkpoint')
            return appender.checkpoint()
          },
        }
      },
      async complete(...given) {
        demand('complete')
        await store.complete(...given)
      },
    })
  }

  for (const step of ['append', 'write', 'checkpoint']) {
    for (const prefix of [0, 100, 10_000]) {
      test(`a store that is full at ${step} after ${prefix} bytes keeps the session where it was`, async () => {
        const full = { at: '' }
        const process = registry.anotherProcess({ store: fullStore(full) })
        const whole = noise(prefix + 30_000, prefix + step.length)
        const session = await begin(whole.subarray(0, prefix), process)
        const chunks = () =>
          bodyOf(
            whole.subarray(prefix, prefix + 3_000),
            whole.subarray(prefix + 3_000, prefix + 9_000),
          )
        full.at = step
        const append = process.uploads.append(session.id, session.owner, chunks())
        expect(await codeOf(append)).toBe('storage_full')
        expect(await process.uploads.status(session.id, session.owner)).toEqual({ offset: prefix })
        const finish = process.uploads.finish(session.id, session.owner, {
          digest: digestOf(whole),
          body: bodyOf(whole.subarray(prefix)),
          authorizeCommit,
        })
        expect(await codeOf(finish)).toBe('storage_full')
        expect(await process.uploads.status(session.id, session.owner)).toEqual({ offset: prefix })
        full.at = ''
        await process.uploads.append(session.id, session.owner, chunks(), prefix)
        await finishRest(process, session, whole)
      })
    }
  }

  test('a store that is full at the end takes the commit once there is room', async () => {
    const full = { at: '' }
    const process = registry.anotherProcess({ store: fullStore(full) })
    const whole = noise(20_000, 71)
    const session = await begin(whole, process)
    full.at = 'complete'
    const finish = process.uploads.finish(session.id, session.owner, {
      digest: digestOf(whole),
      authorizeCommit,
    })
    expect(await codeOf(finish)).toBe('storage_full')
    full.at = ''
    await finishRest(process, session, whole)
  })

  test('a stream beyond the quota is cut off, and nothing of it is kept', async () => {
    const quota = 1_000_000
    const owner = ownerOf('metered/app')
    await first.db.transaction((tx) =>
      first.projects.create(tx, { name: 'metered', isPublic: false, quota, createdBy: null }),
    )
    await first.projects.find('metered')
    const { id } = await first.uploads.start(owner)
    const chunk = noise(1024 * 1024)
    let sent = 0
    async function* endless() {
      for (; sent < 100; sent++) yield chunk
    }
    expect(await codeOf(first.uploads.append(id, owner, endless()))).toBe('quota_exceeded')
    expect(sent).toBeLessThan(20)
    expect(await first.uploads.status(id, owner)).toEqual({ offset: 0 })
    await first.uploads.append(id, owner, bodyOf(noise(600_000)))
    // What is on its way counts, whoever sends it.
    expect(await codeOf(first.projects.demandRoom('metered', 500_000))).toBe('quota_exceeded')
    await first.projects.demandRoom('metered', 300_000)
    await first.uploads.cancel(id, owner)
    await first.projects.demandRoom('metered', 900_000)
  })
})

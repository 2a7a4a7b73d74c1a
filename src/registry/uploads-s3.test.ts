import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { codeOf } from '../accounts/test-accounts.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import { openS3Store } from '../store/blobs/s3-store.ts'
import {
  findS3Program,
  s3SettingsOf,
  startS3Server,
  type TestS3Server,
} from '../store/blobs/test-s3-server.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import { sweepOrphans } from './orphans.ts'
import {
  bodyOf,
  createGate,
  createTestRegistry,
  digestOf,
  noise,
  ownerOf,
  pusher,
  readBlob,
  type TestProcess,
  type TestRegistry,
} from './test-registry.ts'
import { WRITER_LEASE_MS } from './upload-claims.ts'

const MIB = 1024 * 1024
const DAY = 24 * 3_600_000
const authorizeCommit = async () => pusher
const program = findS3Program()
if (!program) test.skip('uploads to S3 (.ci/install-tools builds Garage, an S3 server)', () => {})
else onEachEngine('uploads to S3', (create) => suite(program, create))

function suite(garage: string, create: Parameters<Parameters<typeof onEachEngine>[1]>[0]) {
  let server: TestS3Server
  let registry: TestRegistry
  let processes: TestProcess[]
  let names = 0
  let reads = 0

  const countReads = (store: BlobStore): BlobStore => ({
    ...store,
    async stream(...given) {
      const found = await store.stream(...given)
      if (found) reads++
      return found
    },
  })

  beforeAll(async () => {
    server = await startS3Server(garage)
    registry = await createTestRegistry(create, {
      openStore: async (folder) =>
        countReads(openS3Store(s3SettingsOf(server, { redirect: 'never' }), { folder })),
    })
    processes = [registry.first, registry.anotherProcess(), registry.anotherProcess()]
  })
  afterAll(async () => {
    await registry.remove()
    await server.stop()
  })
  afterEach(async () => {
    registry.pass(60_000)
    await process(0).uploads.sweep(registry.clock())
    expect(await registry.problems()).toEqual([])
  })

  function process(i: number): TestProcess {
    const found = processes[i % processes.length]
    if (!found) throw new Error('no process')
    return found
  }

  async function begin() {
    const name = `s3/app-${++names}`
    const owner = ownerOf(name)
    const { id } = await process(0).uploads.start(owner)
    reads = 0
    return { name, owner, id }
  }

  async function expectBytes(name: string, bytes: Uint8Array) {
    const read = await readBlob(registry.first, name, digestOf(bytes))
    expect(Buffer.compare(read, bytes)).toBe(0)
  }

  for (const announced of [true, false]) {
    for (const chunk of [100, 3 * MIB + 1, 9 * MIB + 1]) {
      const how = announced ? 'that say where they belong' : 'in a row'
      test(`chunks of ${chunk} bytes ${how} go to another process each`, async () => {
        const { name, owner, id } = await begin()
        const whole = noise(5 * chunk, chunk)
        for (let i = 0; i < 5; i++) {
          const body = bodyOf(whole.subarray(i * chunk, (i + 1) * chunk))
          await process(i).uploads.append(id, owner, body, announced ? i * chunk : undefined)
        }
        const request = { digest: digestOf(whole), authorizeCommit }
        await process(5).uploads.finish(id, owner, request)
        // Nobody had to read what others wrote, but once where nothing told that more would come.
        expect(reads).toBeLessThanOrEqual(announced ? 0 : 1)
        await expectBytes(name, whole)
      })
    }
  }

  test('the last bytes come with the commit, to another process', async () => {
    const { name, owner, id } = await begin()
    const whole = noise(20 * MIB + 5, 20)
    await process(0).uploads.append(id, owner, bodyOf(whole.subarray(0, 11 * MIB)))
    const body = bodyOf(whole.subarray(11 * MIB))
    await process(1).uploads.finish(id, owner, { digest: digestOf(whole), body, authorizeCommit })
    await expectBytes(name, whole)
  })

  for (const size of [100, 3 * MIB, 12 * MIB]) {
    test(`who takes over after ${size} bytes keeps them, and the former writer changes nothing`, async () => {
      const { name, owner, id } = await begin()
      const whole = noise(size + 10 * MIB, size)
      await process(0).uploads.append(id, owner, bodyOf(whole.subarray(0, size)))
      const stalled = createGate()
      const gate = createGate()
      async function* stalling() {
        yield noise(9 * MIB, 99)
        stalled.open()
        await gate.opened
        yield noise(9 * MIB, 98)
      }
      const stale = codeOf(process(0).uploads.append(id, owner, stalling()))
      await stalled.opened
      registry.pass(WRITER_LEASE_MS + 1)
      const body = bodyOf(whole.subarray(size))
      await process(1).uploads.append(id, owner, body, size)
      gate.open()
      expect(['upload_invalid', 'upload_unknown']).toContain(await stale)
      await process(2).uploads.finish(id, owner, { digest: digestOf(whole), authorizeCommit })
      await expectBytes(name, whole)
    })
  }

  test('a commit that is refused after the bytes were put together can be tried again', async () => {
    for (const size of [3 * MIB, 20 * MIB]) {
      const { name, owner, id } = await begin()
      const whole = noise(size, size)
      const digest = digestOf(whole)
      await process(0).uploads.append(id, owner, bodyOf(whole.subarray(0, size - 10)))
      const refuse = async () => {
        throw new Error('not now')
      }
      const last = () => bodyOf(whole.subarray(size - 10))
      const first = process(0).uploads.finish(id, owner, {
        digest,
        body: last(),
        authorizeCommit: refuse,
      })
      await expect(first).rejects.toThrow('not now')
      expect(await process(1).uploads.status(id, owner)).toEqual({ offset: size - 10 })
      await process(1).uploads.finish(id, owner, { digest, body: last(), authorizeCommit })
      await expectBytes(name, whole)
    }
  })

  test('a digest by sha512 that nobody announced is read once more', async () => {
    const { name, owner, id } = await begin()
    const whole = noise(9 * MIB, 512)
    await process(0).uploads.append(id, owner, bodyOf(whole))
    const digest = digestOf(whole, 'sha512')
    await process(1).uploads.finish(id, owner, { digest, authorizeCommit })
    const read = await readBlob(registry.first, name, digest)
    expect(Buffer.compare(read, whole)).toBe(0)
  })

  test('a multipart upload that was begun twice goes, and the content beside it stays', async () => {
    const { name, owner, id } = await begin()
    const whole = noise(20 * MIB, 77)
    await process(0).uploads.append(id, owner, bodyOf(whole))
    const row = await registry.first.db.query
      .selectFrom('upload')
      .select('storage_key')
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
    const forgotten = await registry.store.append(row.storage_key, { offset: 0, state: null })
    await forgotten.write(noise(20 * MIB, 78))
    await forgotten.close()
    const sweep = () =>
      sweepOrphans({
        db: registry.first.db,
        store: registry.store,
        clock: () => Date.now() + 2 * DAY,
      })
    // While the session is open, nobody can tell which of them is its own.
    expect(await sweep()).toBe(0)
    await process(1).uploads.finish(id, owner, { digest: digestOf(whole), authorizeCommit })
    expect(await sweep()).toBe(1)
    expect(
      (await Array.fromAsync(registry.store.list())).filter((one) => one.isUnfinished),
    ).toEqual([])
    await expectBytes(name, whole)
  })
}

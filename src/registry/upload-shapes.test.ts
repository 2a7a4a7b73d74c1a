import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { codeOf } from '../accounts/test-accounts.ts'
import type { DigestAlgorithm } from '../oci/digest.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import { INLINE_LIMIT } from './content.ts'
import {
  bodyOf,
  createTestRegistry,
  digestOf,
  nameOf,
  noise,
  ownerOf,
  pushBlob,
  pusher,
  readBlob,
  type TestProcess,
  type TestRegistry,
} from './test-registry.ts'

const authorizeCommit = async () => pusher

onEachEngine('shapes of uploads', (create) => {
  let registry: TestRegistry
  let first: TestProcess
  let second: TestProcess
  let reads = 0

  /** Counts what is read back, to see when a hash had to be made again. */
  const countReads = (store: BlobStore): BlobStore => ({
    ...store,
    stream(...given) {
      reads++
      return store.stream(...given)
    },
  })

  beforeAll(async () => {
    registry = await createTestRegistry(create, { store: countReads })
    first = registry.first
    second = registry.anotherProcess()
  })
  afterAll(() => registry.remove())
  afterEach(async () => expect(await registry.problems()).toEqual([]))

  async function contentOf(bytes: Uint8Array) {
    const sha256 = digestOf(bytes).slice('sha256:'.length)
    return first.db.query
      .selectFrom('content')
      .selectAll()
      .where('sha256', '=', sha256)
      .executeTakeFirst()
  }

  const sizes = [0, 1, INLINE_LIMIT - 1, INLINE_LIMIT, INLINE_LIMIT + 1, 100_000, 3_000_000]
  for (const size of sizes) {
    for (const algorithm of ['sha256', 'sha512'] as const) {
      test(`${size} bytes by ${algorithm} come back, however they were pushed`, async () => {
        const pushes: Record<string, (bytes: Uint8Array, name: string) => Promise<unknown>> = {
          'in one request': (bytes, name) => pushBlob(first, name, bytes, { algorithm }),
          'by the last request': (bytes, name) => inChunks(name, [], bytes, algorithm, true),
          'in chunks by one process': (bytes, name) =>
            inChunks(name, thirds(bytes), undefined, algorithm, true),
          'in chunks by two processes': (bytes, name) =>
            inChunks(name, thirds(bytes).slice(0, 2), thirds(bytes)[2], algorithm, false),
          'announced as another algorithm': (bytes, name) =>
            inChunks(
              name,
              thirds(bytes),
              undefined,
              algorithm,
              false,
              algorithm === 'sha256' ? 'sha512' : 'sha256',
            ),
        }
        for (const [i, [how, push]] of Object.entries(pushes).entries()) {
          const bytes = noise(size, size + i + (algorithm === 'sha256' ? 100 : 200))
          const name = `shapes/${algorithm}/s${size}`
          await push(bytes, name)
          const digest = digestOf(bytes, algorithm)
          const read = await readBlob(second, name, digest)
          expect({ how, equal: Buffer.compare(read, bytes) === 0 }).toEqual({ how, equal: true })
          expect((await first.blobs.get(nameOf(name), digest)).size).toBe(size)
          const content = await contentOf(bytes)
          expect({ how, inline: content?.storage_key === null }).toEqual({
            how,
            inline: size <= INLINE_LIMIT,
          })
        }
        expect(await openSessions()).toEqual([])
      })
    }
  }

  /** Pushes chunks and the last one with the PUT; `same`: all of it to one process. */
  async function inChunks(
    name: string,
    chunks: Uint8Array[],
    last: Uint8Array | undefined,
    algorithm: DigestAlgorithm,
    same: boolean,
    announced = algorithm,
  ) {
    const owner = ownerOf(name)
    const { id } = await first.uploads.start(owner, announced)
    let offset = 0
    for (const [i, chunk] of chunks.entries()) {
      const { uploads } = same || i % 2 === 0 ? first : second
      expect(await uploads.append(id, owner, bodyOf(chunk), offset)).toEqual({
        offset: offset + chunk.length,
      })
      offset += chunk.length
      expect(await second.uploads.status(id, owner)).toEqual({ offset })
    }
    const bytes = Buffer.concat([...chunks, ...(last ? [last] : [])])
    const { uploads } = same ? first : second
    await uploads.finish(id, owner, {
      digest: digestOf(bytes, algorithm),
      ...(last ? { body: bodyOf(last), start: offset } : {}),
      authorizeCommit,
    })
    expect(await codeOf(uploads.status(id, owner))).toBe('upload_unknown')
  }

  function thirds(bytes: Uint8Array): Uint8Array[] {
    const third = Math.ceil(bytes.length / 3)
    return [0, 1, 2].map((i) => bytes.subarray(i * third, (i + 1) * third))
  }

  function openSessions() {
    return first.db.query.selectFrom('upload').select('id').execute()
  }

  test('a session that stays in its process is not read again, one that moves is', async () => {
    const bytes = noise(20_000, 31)
    const owner = ownerOf('reads/app')
    for (const [process, again] of [
      [first, 0],
      [second, 1],
    ] as const) {
      const { id } = await first.uploads.start(owner)
      await first.uploads.append(id, owner, bodyOf(bytes.subarray(0, 10_000)))
      reads = 0
      await process.uploads.finish(id, owner, {
        digest: digestOf(bytes),
        body: bodyOf(bytes.subarray(10_000)),
        authorizeCommit,
      })
      expect(reads).toBe(again)
    }
  })

  test('any process can commit what another one received, without reading it', async () => {
    const bytes = noise(20_000, 32)
    const owner = ownerOf('reads/commit')
    for (const algorithm of ['sha256', 'sha512'] as const) {
      const { id } = await first.uploads.start(owner, algorithm)
      await first.uploads.append(id, owner, bodyOf(bytes))
      reads = 0
      await second.uploads.finish(id, owner, {
        digest: digestOf(bytes, algorithm),
        authorizeCommit,
      })
      expect(reads).toBe(0)
    }
  })
})

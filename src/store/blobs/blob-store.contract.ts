import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { ByteRange } from '../../oci/range.ts'
import type { BlobPosition, BlobStore } from './blob-store.ts'
import { bytesOf } from './source-bytes.ts'

const START: BlobPosition = { offset: 0, state: null }
const MIB = 1024 * 1024
/** More than any driver puts in one request, and no multiple of anything. */
const LARGE = 18 * MIB + 4_321

/** What every driver must do. `open` gives an empty store and how to remove it. */
export function blobStoreContract(
  name: string,
  open: () => Promise<{ store: BlobStore; remove: () => Promise<void> }>,
) {
  describe(`blob store: ${name}`, () => {
    let store: BlobStore
    let removeStore: () => Promise<void>

    beforeEach(async () => {
      const opened = await open()
      store = opened.store
      removeStore = opened.remove
    })
    afterEach(() => removeStore())

    /** Writes chunks from `from` on, as one request does, and lets go. */
    async function write(key: string, from: BlobPosition, ...chunks: Uint8Array[]) {
      const appender = await store.append(key, from)
      try {
        for (const chunk of chunks) await appender.write(chunk)
        const position = await appender.checkpoint()
        // What is kept between two requests is a row of the database.
        return { offset: position.offset, state: position.state }
      } finally {
        await appender.close()
      }
    }

    async function put(...chunks: Uint8Array[]): Promise<string> {
      const key = store.newKey()
      const appender = await store.append(key, START)
      for (const chunk of chunks) await appender.write(chunk)
      const position = await appender.checkpoint({ isLast: true })
      await appender.close()
      await store.complete(key, position)
      return key
    }

    /** The same bytes in all ways in which they can be had. */
    async function get(
      key: string,
      size: number,
      range?: ByteRange,
    ): Promise<Uint8Array | undefined> {
      const own = await store.read(key, size, range)
      if (own?.kind === 'redirect') throw new Error('redirected without having been asked')
      const bytes = own && (await bytesOf(own))
      expect(hashOf(await fromClient(key, size, range))).toBe(hashOf(bytes))
      if (!range) expect(hashOf(await fromStream(key, size))).toBe(hashOf(bytes))
      return bytes
    }

    async function fromStream(key: string, size: number): Promise<Uint8Array | undefined> {
      const stream = await store.stream(key, size)
      if (!stream) return undefined
      const chunks: Uint8Array[] = []
      for await (const chunk of stream) chunks.push(chunk)
      return new Uint8Array(Buffer.concat(chunks))
    }

    /** As a client gets them, whom a driver may send elsewhere. */
    async function fromClient(
      key: string,
      size: number,
      range?: ByteRange,
    ): Promise<Uint8Array | undefined> {
      const source = await store.read(key, size, range, { mayRedirect: true })
      if (!source) return undefined
      if (source.kind !== 'redirect') return bytesOf(source)
      const headers = range ? { range: `bytes=${range.start}-${range.end}` } : undefined
      const answer = await fetch(source.url, headers ? { headers } : {})
      if (answer.status === 404) return undefined
      const bytes = new Uint8Array(await answer.arrayBuffer())
      expect(answer.headers.get('content-length')).toBe(String(bytes.length))
      // That an object is too short is known to the rows, and to nobody who only signs addresses.
      return !range && bytes.length < size ? undefined : bytes
    }

    async function keys(): Promise<string[]> {
      const found = new Set<string>()
      for await (const { key } of store.list()) found.add(key)
      return [...found].sort()
    }

    test('keys are never the same twice', () => {
      const keys = new Set(Array.from({ length: 1000 }, () => store.newKey()))
      expect(keys.size).toBe(1000)
    })

    test('gives back what was written, whole and by range', async () => {
      const bytes = noise(3_000_000)
      const key = await put(
        bytes.subarray(0, 7),
        bytes.subarray(7, 2_000_000),
        bytes.subarray(2_000_000),
      )
      expectSame(await get(key, bytes.length), bytes)
      expect(await get(key, bytes.length, { start: 5, end: 5 })).toEqual(bytes.slice(5, 6))
      expect(await get(key, bytes.length, { start: 100, end: bytes.length - 1 })).toEqual(
        bytes.slice(100),
      )
      expect(await store.size(key)).toBe(bytes.length)
    })

    test('holds content of no bytes', async () => {
      const key = await put()
      expect((await get(key, 0))?.length).toBe(0)
    })

    test('goes on from a checkpoint and drops what came after it', async () => {
      const key = store.newKey()
      const first = await store.append(key, START)
      await first.write(noise(1_500_000))
      const position = await first.checkpoint()
      await first.write(new Uint8Array(2_000_000).fill(9))
      await first.close()
      const second = await store.append(key, position)
      await second.write(new Uint8Array([1, 2, 3]))
      const end = await second.checkpoint()
      await second.close()
      expect(end.offset).toBe(1_500_003)
      await store.complete(key, end)
      const whole = await get(key, end.offset)
      expect(whole?.slice(-4)).toEqual(new Uint8Array([noise(1_500_000).at(-1) ?? 0, 1, 2, 3]))
    })

    test('what is missing is undefined, and removing it is no error', async () => {
      const key = store.newKey()
      expect(await get(key, 1)).toBeUndefined()
      expect(await store.size(key)).toBeUndefined()
      await store.remove([key])
    })

    test('removes finished and unfinished content, and lists what is left', async () => {
      const kept = await put(noise(10))
      const removed = await put(noise(10))
      const [small, large, unsafe] = [store.newKey(), store.newKey(), store.newKey()]
      await write(small, START, noise(10))
      await write(large, START, noise(LARGE))
      const appender = await store.append(unsafe, START)
      await appender.write(noise(LARGE))
      await appender.close()
      await store.remove([removed, small, large, unsafe])
      expect(await keys()).toEqual([kept])
      expect(await get(removed, 10)).toBeUndefined()
    })

    test('removes what is unfinished from under what is complete', async () => {
      const key = store.newKey()
      const forgotten = await store.append(key, START)
      await forgotten.write(noise(LARGE))
      await forgotten.close()
      const position = await write(key, START, noise(LARGE))
      await store.complete(key, position)
      await store.removeUnfinished([key])
      const unfinished: string[] = []
      for await (const found of store.list()) if (found.isUnfinished) unfinished.push(found.key)
      expect(unfinished).toEqual([])
      expectSame(await get(key, LARGE), noise(LARGE))
    })

    for (const sizes of [
      [8 * MIB],
      [8 * MIB + 1],
      [LARGE],
      [13 * MIB, 1],
      [13 * MIB + 1],
      [3 * MIB, 3 * MIB],
      [3 * MIB, 7 * MIB, 10],
      [9 * MIB, 10, 20, 9 * MIB],
      [14 * MIB, 14 * MIB, 1],
      [20 * MIB, 1],
    ]) {
      test(`puts chunks of ${sizes.join(', ')} bytes together, by other writers each`, async () => {
        const key = store.newKey()
        const whole = noise(sizes.reduce((sum, size) => sum + size))
        let position = START
        for (const size of sizes) {
          const chunk = whole.subarray(position.offset, position.offset + size)
          const third = Math.ceil(size / 3)
          position = await write(
            key,
            position,
            chunk.subarray(0, third),
            new Uint8Array(),
            chunk.subarray(third),
          )
        }
        expect(position.offset).toBe(whole.length)
        await store.complete(key, position)
        expectSame(await get(key, whole.length), whole)
        expect(await store.size(key)).toBe(whole.length)
        expect(await store.read(key, whole.length + 1)).toBeUndefined()
      })
    }

    test('can be made complete again, when the first answer got lost', async () => {
      for (const size of [10, LARGE]) {
        const key = store.newKey()
        const position = await write(key, START, noise(size))
        await store.complete(key, position)
        await store.complete(key, position)
        expectSame(await get(key, size), noise(size))
      }
    })

    for (const [first, second] of [
      [10, 10],
      [3 * MIB, LARGE],
      [LARGE, 10],
      [LARGE, LARGE],
    ] as const) {
      test(`goes back to ${first} bytes after a commit with ${second} more failed`, async () => {
        const key = store.newKey()
        const whole = noise(first + second)
        const safe = await write(key, START, whole.subarray(0, first))
        const failed = await write(key, safe, new Uint8Array(second).fill(7))
        await store.complete(key, failed)
        const position = await write(key, safe, whole.subarray(first))
        await store.complete(key, position)
        expectSame(await get(key, whole.length), whole)
        // And to where it was, without a byte more.
        const other = store.newKey()
        const start = await write(other, START, whole.subarray(0, first))
        await store.complete(other, await write(other, start, new Uint8Array(second).fill(7)))
        await store.complete(other, start)
        expectSame(await get(other, first), whole.subarray(0, first))
        expect(await store.size(other)).toBe(first)
      })
    }

    for (const size of [0, 10, 5 * MIB, LARGE, LARGE + 6 * MIB]) {
      test(`${size} bytes change hands, whatever the former writer still does`, async () => {
        const [key, newKey] = [store.newKey(), store.newKey()]
        const whole = noise(size + LARGE)
        const safe = await write(key, START, whole.subarray(0, size))
        const former = await store.append(key, safe)
        await former.write(new Uint8Array(LARGE).fill(7))
        let position = await store.adopt(key, safe, newKey)
        expect(position.offset).toBe(size)
        // It may find that its session is gone, and it may write all it has.
        await former
          .checkpoint()
          .then((late) => store.complete(key, late))
          .catch(() => {})
        await former.close()
        if (size > 0) expectSame(await fromStream(key, size), whole.subarray(0, size))
        position = await write(newKey, position, whole.subarray(size))
        await store.complete(newKey, position)
        expectSame(await get(newKey, whole.length), whole)
        await store.remove([key])
        expect(await keys()).toEqual([newKey])
      })
    }

    test('what is too short is not made complete', async () => {
      const key = store.newKey()
      await write(key, START, noise(10))
      await expect(store.complete(key, { offset: 11, state: null })).rejects.toThrow()
    })

    test('a short object is not passed off as the whole', async () => {
      const key = await put(noise(10))
      expect(await get(key, 11)).toBeUndefined()
    })
  })
}

function hashOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && `${bytes.length} ${Bun.SHA256.hash(bytes, 'hex')}`
}

/** As `toEqual`, which takes seconds for megabytes. */
function expectSame(actual: Uint8Array | undefined, wanted: Uint8Array): void {
  expect(actual?.length).toBe(wanted.length)
  expect(Buffer.compare(actual ?? new Uint8Array(), wanted)).toBe(0)
}

/** The same bytes each time, without a pattern that a wrong offset could hide in. */
const NOISE = new Uint8Array(64 * MIB)
for (let i = 0, x = 123456789; i < NOISE.length; i++) {
  x = (Math.imul(x, 1664525) + 1013904223) | 0
  NOISE[i] = x >>> 24
}

function noise(size: number): Uint8Array {
  return NOISE.slice(0, size)
}

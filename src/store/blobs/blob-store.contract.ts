import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { BlobPosition, BlobStore } from './blob-store.ts'

const START: BlobPosition = { offset: 0, state: null }

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

    async function put(...chunks: Uint8Array[]): Promise<string> {
      const key = store.newKey()
      const appender = await store.append(key, START)
      for (const chunk of chunks) await appender.write(chunk)
      const position = await appender.checkpoint()
      await appender.close()
      await store.complete(key, position)
      return key
    }

    async function get(
      key: string,
      size: number,
      range?: { start: number; end: number },
    ): Promise<Uint8Array | undefined> {
      const source = await store.read(key, size, range)
      if (!source) return undefined
      const body = source.kind === 'file' ? source.file : await (await fetch(source.url)).blob()
      return new Uint8Array(await body.arrayBuffer())
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
      expect(await get(key, bytes.length)).toEqual(bytes)
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
      const unfinished = store.newKey()
      const appender = await store.append(unfinished, START)
      await appender.write(noise(10))
      await appender.checkpoint()
      await appender.close()
      await store.remove([removed, unfinished])
      const keys: string[] = []
      for await (const { key } of store.list()) keys.push(key)
      expect(keys).toEqual([kept])
      expect(await get(removed, 10)).toBeUndefined()
    })

    test('what is too short is not made complete', async () => {
      const key = store.newKey()
      const appender = await store.append(key, START)
      await appender.write(noise(10))
      await appender.checkpoint()
      await appender.close()
      await expect(store.complete(key, { offset: 11, state: null })).rejects.toThrow()
    })

    test('a short object is not passed off as the whole', async () => {
      const key = await put(noise(10))
      expect(await get(key, 11)).toBeUndefined()
    })
  })
}

/** The same bytes each time, without a pattern that a wrong offset could hide in. */
function noise(size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  for (let i = 0, x = 123456789; i < size; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0
    bytes[i] = x >>> 24
  }
  return bytes
}

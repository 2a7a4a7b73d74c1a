import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAppError } from '../../lib/errors.ts'
import { failureOf } from '../../lib/test-failure.ts'
import { blobStoreContract } from './blob-store.contract.ts'
import type { BlobStore } from './blob-store.ts'
import { openS3Store } from './s3-store.ts'
import { bytesOf } from './source-bytes.ts'
import { type Fault, type S3FaultProxy, startS3Faults } from './test-s3-faults.ts'
import { findS3Program, s3SettingsOf, startS3Server, type TestS3Server } from './test-s3-server.ts'

const NOTHING = new Uint8Array()

const program = findS3Program()
if (!program) test.skip('the S3 driver (.ci/install-tools builds Garage, an S3 server)', () => {})
else suite(program)

function suite(garage: string) {
  let server: TestS3Server
  let proxy: S3FaultProxy

  beforeAll(async () => {
    server = await startS3Server(garage)
    proxy = await startS3Faults(server.endpoint)
  })
  afterAll(async () => {
    await proxy.stop()
    await server.stop()
  })

  function open(
    more: Record<string, unknown> = {},
    room: { keepFree?: number; mostPassedOn?: number } = {},
  ) {
    const folder = mkdtempSync(join(tmpdir(), 'entrepot-cache-'))
    const remove = async () => rmSync(folder, { recursive: true, force: true })
    return { store: openS3Store(s3SettingsOf(server, more), { folder, ...room }), remove }
  }

  blobStoreContract('S3, with redirects', async () => open())
  blobStoreContract('S3, without redirects', async () => open({ redirect: 'never' }))

  blobStoreContract('S3, while every sixth request fails', async () => {
    const faults: Fault[] = ['error', 'busy', 'cut', 'lost', 'half', 'slow']
    let requests = 0
    proxy.decide = () => {
      const turn = ++requests
      return turn % 6 === 3 ? faults[((turn / 6) % faults.length) | 0] : undefined
    }
    return open({ redirect: 'never', endpoint: proxy.endpoint })
  })

  const START = { offset: 0, state: null }
  const bytes = new Uint8Array(20_000_000).map((_, i) => i % 251)

  async function push(store: BlobStore): Promise<string> {
    const key = store.newKey()
    const appender = await store.append(key, START)
    try {
      for (let at = 0; at < bytes.length; at += 100_000) {
        await appender.write(bytes.subarray(at, at + 100_000))
      }
      await store.complete(key, await appender.checkpoint({ isLast: true }))
    } finally {
      await appender.close()
    }
    return key
  }

  test('what there is no room to copy is passed on as it comes', async () => {
    const { store, remove } = open({ redirect: 'never' }, { keepFree: Number.MAX_SAFE_INTEGER })
    const key = await push(store)
    const { length } = bytes
    for (const [start, end, kind] of [
      [0, length - 1, 'stream'],
      [1_000_001, length - 2, 'stream'],
      [5, 1_000_000, 'file'],
    ] as const) {
      const source = await store.read(key, length, { start, end })
      expect(source?.kind).toBe(kind)
      const read = source && (await bytesOf(source))
      expect(Buffer.compare(read ?? NOTHING, bytes.subarray(start, end + 1))).toBe(0)
    }
    const abandoned = await store.read(key, length)
    if (abandoned?.kind !== 'stream') throw new Error('this was copied')
    const reader = abandoned.stream.getReader()
    expect((await reader.read()).value?.length).toBeGreaterThan(0)
    await reader.cancel()
    expect(await store.read(store.newKey(), length)).toBeUndefined()
    await remove()
  })

  // Bun opens 256 connections at a time, and no more for anything else while clients hold them.
  test('only so many are passed on at a time, however slow their clients are', async () => {
    const room = { keepFree: Number.MAX_SAFE_INTEGER, mostPassedOn: 2 }
    const { store, remove } = open({ redirect: 'never' }, room)
    const key = await push(store)
    const begin = async () => {
      const source = await store.read(key, bytes.length)
      if (source?.kind !== 'stream') throw new Error('this was copied')
      return source.stream.getReader()
    }
    // Nobody reads these, such as for HEAD.
    for (let i = 0; i < 3; i++) await begin()
    const readers = [await begin(), await begin()]
    for (const reader of readers) await reader.read()
    expect((await failureOf(begin())).code).toBe('unavailable')
    await readers[0]?.cancel()
    const next = await begin()
    expect((await next.read()).value?.length).toBeGreaterThan(0)
    await Promise.all([next.cancel(), readers[1]?.cancel()])
    await remove()
  })

  describe('faults of an S3 server', () => {
    function failing(pattern: RegExp, fault: Fault, times = Number.POSITIVE_INFINITY) {
      let left = times
      proxy.decide = ({ method, url }) =>
        pattern.test(`${method} ${url}`) && left-- > 0 ? fault : undefined
      const { store, remove } = open({ endpoint: proxy.endpoint, redirect: 'never' })
      return { store, [Symbol.asyncDispose]: remove }
    }

    for (const [what, pattern] of [
      ['a part', /^PUT .*partNumber=2/],
      ['the beginning', /^POST .*uploads/],
      ['the completion', /^POST .*uploadId/],
    ] as const) {
      for (const fault of ['error', 'busy', 'cut', 'lost', 'half'] as const) {
        test(`${what} is asked for again after "${fault}"`, async () => {
          await using opened = failing(pattern, fault, 1)
          const key = await push(opened.store)
          expect(proxy.counts.get(fault)).toBeGreaterThan(0)
          expect(await opened.store.size(key)).toBe(bytes.length)
        })
      }
    }

    test('a server that never answers well is "unavailable", with its own words', async () => {
      await using opened = failing(/^PUT /, 'error')
      const failure = await push(opened.store).catch((error: unknown) => error)
      expect(isAppError(failure, 'unavailable')).toBe(true)
      expect(String(failure)).toContain('InternalError')
    }, 60_000)

    test('an answer that breaks off is gone on with from where it did', async () => {
      await using opened = failing(/^GET .*x-id=GetObject/, 'half', 3)
      const key = await push(opened.store)
      const hash = new Bun.CryptoHasher('sha256')
      for await (const chunk of (await opened.store.stream(key, bytes.length)) ?? []) {
        hash.update(chunk)
      }
      expect(hash.digest('hex')).toBe(Bun.SHA256.hash(bytes, 'hex'))
    })

    test('a start says which setting is wrong', async () => {
      const missing = open({ bucket: 'elsewhere' })
      await expect(missing.store.prove()).rejects.toThrow(
        'there is no bucket "elsewhere"; create it, or correct storage.s3.bucket',
      )
      await missing.remove()
      const stranger = open({ accessKeyId: 'GK0123456789abcdef01234567' })
      await expect(stranger.store.prove()).rejects.toThrow('access')
      await stranger.remove()
      const { store, remove } = open()
      await store.prove()
      expect(await Array.fromAsync(store.list())).toEqual([])
      await remove()
    })
  })
}

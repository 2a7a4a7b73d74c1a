import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { codeOf } from '../accounts/test-accounts.ts'
import type { Digest } from '../oci/digest.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
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
import type { UploadOwner } from './upload-owner.ts'

const authorizeCommit = async () => pusher
const UNKNOWN = Array.from({ length: 4 }, () => 'upload_unknown')

onEachEngine('uploads', (create) => {
  let registry: TestRegistry
  let first: TestProcess
  let second: TestProcess

  beforeAll(async () => {
    registry = await createTestRegistry(create)
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

  async function storedKeys(): Promise<string[]> {
    const keys: string[] = []
    for await (const { key } of registry.store.list()) keys.push(key)
    return keys.sort()
  }

  /** What everything that can be done to a session says. */
  async function codesOf(
    { uploads }: TestProcess,
    id: string,
    owner: UploadOwner,
    digest: Digest,
  ): Promise<string[]> {
    return [
      await codeOf(uploads.status(id, owner)),
      await codeOf(uploads.append(id, owner, bodyOf(noise(1)))),
      await codeOf(uploads.finish(id, owner, { digest, authorizeCommit })),
      await codeOf(uploads.cancel(id, owner)),
    ]
  }

  function errorOf(work: Promise<unknown>): Promise<unknown> {
    return work.then(
      () => undefined,
      (error: unknown) => error,
    )
  }

  function openSessions() {
    return first.db.query.selectFrom('upload').select('id').execute()
  }

  test('the same bytes again, whatever their digest is called, are stored once', async () => {
    const bytes = noise(50_000, 33)
    await pushBlob(first, 'once/a', bytes)
    const before = await storedKeys()
    await pushBlob(second, 'once/a', bytes)
    await pushBlob(second, 'once/b', bytes, { algorithm: 'sha512' })
    await pushBlob(first, 'twice/a', bytes)
    expect(await storedKeys()).toEqual(before)
    expect(await codeOf(first.blobs.get(nameOf('once/b'), digestOf(bytes)))).toBe('blob_unknown')
    expect(await codeOf(first.blobs.get(nameOf('once/a'), digestOf(bytes, 'sha512')))).toBe(
      'blob_unknown',
    )
  })

  test('a wrong digest ends the session and leaves no bytes', async () => {
    const before = await storedKeys()
    const wrong = digestOf(noise(1, 34))
    for (const size of [0, 10, 10_000]) {
      for (const digest of [wrong, digestOf(noise(1), 'sha512')]) {
        const owner = ownerOf('mismatch/app')
        const { id } = await first.uploads.start(owner)
        await first.uploads.append(id, owner, bodyOf(noise(size, 35)))
        const finish = second.uploads.finish(id, owner, { digest, authorizeCommit })
        expect(await codeOf(finish)).toBe('digest_mismatch')
        expect(await codeOf(first.uploads.status(id, owner))).toBe('upload_unknown')
        const single = first.uploads.single(owner, {
          digest,
          body: bodyOf(noise(size, 35)),
          authorizeCommit,
        })
        expect(await codeOf(single)).toBe('digest_mismatch')
      }
    }
    expect(await storedKeys()).toEqual(before)
    expect(await openSessions()).toEqual([])
    expect(await first.projects.get('mismatch')).toBeUndefined()
  })

  test('a gap or an overlap is refused with the offset, and the session goes on', async () => {
    const bytes = noise(30_000, 36)
    const owner = ownerOf('gaps/app')
    const { id } = await first.uploads.start(owner)
    const part = (start: number, end: number) => bodyOf(bytes.subarray(start, end))
    const digest = digestOf(bytes)
    await first.uploads.append(id, owner, part(0, 10_000), 0)
    for (const process of [first, second]) {
      for (const start of [0, 9_999, 10_001, 20_000]) {
        const body = part(start, 30_000)
        const expected = { code: 'upload_range_invalid', details: { offset: 10_000 } }
        const append = process.uploads.append(id, owner, body, start)
        expect(await errorOf(append)).toMatchObject(expected)
        const finish = process.uploads.finish(id, owner, { digest, body, start, authorizeCommit })
        expect(await errorOf(finish)).toMatchObject(expected)
        expect(await second.uploads.status(id, owner)).toEqual({ offset: 10_000 })
      }
    }
    await second.uploads.append(id, owner, part(10_000, 20_000), 10_000)
    await first.uploads.finish(id, owner, {
      digest,
      body: part(20_000, 30_000),
      start: 20_000,
      authorizeCommit,
    })
    expect(Buffer.compare(await readBlob(first, 'gaps/app', digest), bytes)).toBe(0)
  })

  test('a chunk without a body changes nothing', async () => {
    const owner = ownerOf('nothing/app')
    const { id } = await first.uploads.start(owner)
    expect(await first.uploads.append(id, owner, undefined)).toEqual({ offset: 0 })
    expect(await second.uploads.append(id, owner, bodyOf())).toEqual({ offset: 0 })
    await first.uploads.append(id, owner, bodyOf(noise(3, 37)))
    expect(await second.uploads.append(id, owner, undefined, 3)).toEqual({ offset: 3 })
    await first.uploads.cancel(id, owner)
  })

  test('a cancelled session is gone with its bytes, for every process', async () => {
    const before = await storedKeys()
    const owner = ownerOf('cancel/app')
    for (const size of [0, 100, 100_000]) {
      const { id } = await first.uploads.start(owner)
      if (size > 0) await first.uploads.append(id, owner, bodyOf(noise(size, 38)))
      await second.uploads.cancel(id, owner)
      const digest = digestOf(noise(size, 38))
      expect(await codesOf(first, id, owner, digest)).toEqual(UNKNOWN)
    }
    expect(await storedKeys()).toEqual(before)
    expect(await openSessions()).toEqual([])
  })

  test('a session of another repository or account is unknown', async () => {
    const account = 4711
    const owner = ownerOf('mine/app', account)
    const { id } = await first.uploads.start(owner)
    await first.uploads.append(id, owner, bodyOf(noise(10, 39)))
    const others = [
      ownerOf('mine/app2', account),
      ownerOf('yours/app', account),
      ownerOf('mine/app', 4712),
      ownerOf('mine/app'),
    ]
    for (const other of others) {
      expect(await codesOf(second, id, other, digestOf(noise(10, 39)))).toEqual(UNKNOWN)
    }
    expect(await codeOf(first.uploads.status('nonsense', owner))).toBe('upload_unknown')
    expect(await second.uploads.status(id, owner)).toEqual({ offset: 10 })
    await first.uploads.cancel(id, owner)
  })

  test('sessions make neither project nor repository', async () => {
    const owner = ownerOf('ghost/app')
    const { id } = await first.uploads.start(owner)
    await first.uploads.append(id, owner, bodyOf(noise(10, 40)))
    expect(await first.projects.get('ghost')).toBeUndefined()
    await first.uploads.cancel(id, owner)
  })

  test('whoever lost the right to push while the bytes came commits nothing', async () => {
    const owner = ownerOf('denied/app')
    const { id } = await first.uploads.start(owner)
    const body = noise(10_000, 41)
    await first.uploads.append(id, owner, bodyOf(body))
    const refuse = async () => {
      throw new Error('not any more')
    }
    const finish = first.uploads.finish(id, owner, {
      digest: digestOf(body),
      authorizeCommit: refuse,
    })
    await expect(finish).rejects.toThrow('not any more')
    const single = first.uploads.single(owner, {
      digest: digestOf(body),
      body: bodyOf(body),
      authorizeCommit: refuse,
    })
    await expect(single).rejects.toThrow('not any more')
    expect(await contentOf(body)).toBeUndefined()
    expect(await first.projects.get('denied')).toBeUndefined()
    // The session is as it was, for somebody who gets the right back.
    await second.uploads.finish(id, owner, { digest: digestOf(body), authorizeCommit })
    expect((await readBlob(first, 'denied/app', digestOf(body))).length).toBe(10_000)
  })
})

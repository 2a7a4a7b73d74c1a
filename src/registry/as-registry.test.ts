import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { createAuthorizer } from '../accounts/authorize.ts'
import type { Principal } from '../accounts/principal.ts'
import { AppError } from '../lib/errors.ts'
import type { OpenBlob, Registry } from '../oci/registry.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import { asRegistry } from './as-registry.ts'
import type { LocalRegistry } from './registry.ts'
import {
  createTestRegistry,
  digestOf,
  imageOf,
  nameOf,
  noise,
  pushImage,
  readBlob,
  type TestRegistry,
} from './test-registry.ts'

const MB = 1024 * 1024
const alice: Principal = { kind: 'user', account: 1, name: 'alice', isAdmin: false }

/** Opens the bytes in small chunks; breaks once where told to. */
function sourceOf(bytes: Uint8Array, breakAt?: number) {
  const opened: number[] = []
  let breaks = breakAt
  const open: OpenBlob = async (offset) => {
    opened.push(offset)
    let at = offset
    return new ReadableStream({
      pull(controller) {
        if (breaks !== undefined && at >= breaks) {
          breaks = undefined
          controller.error(new Error('the connection was reset'))
          return
        }
        if (at >= bytes.length) return controller.close()
        controller.enqueue(bytes.slice(at, at + 64 * 1024))
        at += 64 * 1024
      },
    })
  }
  return { open, opened }
}

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

onEachEngine('our registry as one of the many', (create) => {
  let test1: TestRegistry
  let principal: Principal
  let ours: Registry
  beforeEach(async () => {
    test1 = await createTestRegistry(create)
    principal = { ...alice, isAdmin: true }
    const { db } = test1.first
    await db.query
      .insertInto('account')
      .values({ kind: 'user', name: 'alice', created_at: 1, updated_at: 1 })
      .execute()
    ours = adapter()
  })
  afterEach(() => test1.remove())

  function adapter(registry: LocalRegistry = test1.first) {
    const { first, clock } = test1
    const settings = { anonymousWrite: false, projectCreators: 'all' } as const
    return asRegistry({
      registry,
      authorizer: createAuthorizer({ db: first.db, clock, settings }),
      clock,
      principal: async () => principal,
      settings: { publicByDefault: false },
    })
  }

  test('reads manifests, blobs, tags, repositories and referrers', async () => {
    const blobs = [noise(5_000, 1), noise(70_000, 2)]
    const image = await pushImage(test1.first, 'team/app', blobs, { tag: '1.0' })
    const more = { subject: { mediaType: image.mediaType, digest: image.digest, size: 1 } }
    const referrer = await pushImage(test1.first, 'team/app', [noise(20, 3)], { more })
    const tag = { kind: 'tag', tag: '1.0' } as const
    const { digest, mediaType, bytes } = image
    const found = await ours.resolveManifest('team/app', tag)
    expect(found).toMatchObject({ digest, mediaType, size: bytes.length })
    expect(await ours.readManifest('team/app', tag)).toEqual({ digest, mediaType, bytes })
    const layer = { digest: digestOf(blobs[1] as Uint8Array), size: 70_000 }
    expect(await bytesOf(await ours.readBlob('team/app', layer))).toEqual(blobs[1] as Uint8Array)
    const rest = await ours.readBlob('team/app', layer, { offset: 69_000 })
    expect(await bytesOf(rest)).toEqual((blobs[1] as Uint8Array).slice(69_000))
    expect(await Array.fromAsync(ours.listTags('team/app'))).toEqual([['1.0']])
    expect(await Array.fromAsync(ours.listRepositories())).toEqual([['team/app']])
    expect(await Array.fromAsync(ours.listRepositories({ namespace: 'other' }))).toEqual([])
    const referrers = await ours.listReferrers('team/app', digest)
    expect(referrers.map((one) => one.digest)).toEqual([referrer.digest])
  })

  test('what is not there is undefined or false', async () => {
    const digest = digestOf(noise(3))
    const reference = { kind: 'digest', digest } as const
    expect(await ours.resolveManifest('team/app', reference)).toBeUndefined()
    expect(await ours.readManifest('team/app', reference)).toBeUndefined()
    expect(await ours.hasBlob('team/app', digest)).toBe(false)
    expect(await ours.mountBlob('team/app', digest, undefined)).toBe(false)
    expect(await ours.deleteTag('team/app', 'x')).toBe(false)
    expect(await ours.deleteManifest('team/app', digest)).toBe(false)
    expect(await Array.fromAsync(ours.listTags('team/app'))).toEqual([])
  })

  test('takes blobs and manifests, and a missing project comes with them', async () => {
    const blobs = [noise(900, 1), noise(3 * MB, 2)]
    for (const bytes of blobs) {
      const progress: number[] = []
      const blob = { digest: digestOf(bytes), size: bytes.length }
      await ours.writeBlob('new/app', blob, sourceOf(bytes).open, {
        onProgress: (count) => progress.push(count),
      })
      expect(progress.at(-1)).toBe(bytes.length)
      expect(await ours.hasBlob('new/app', blob.digest)).toBe(true)
    }
    const image = imageOf(blobs)
    await ours.writeManifest('new/app', image, { tag: '1.0' })
    const found = await test1.first.manifests.head(nameOf('new/app'), { kind: 'tag', tag: '1.0' })
    expect(found.digest).toBe(image.digest)
    const digest = digestOf(blobs[1] as Uint8Array)
    expect(await ours.mountBlob('other/app', digest, 'new/app')).toBe(true)
    expect(await ours.mountBlob('third/app', digest, undefined)).toBe(true)
    expect(await ours.deleteTag('new/app', '1.0')).toBe(true)
    expect(await ours.deleteManifest('new/app', image.digest)).toBe(true)
    const { db } = test1.first
    const audit = await db.query.selectFrom('audit').select(['action', 'account_name']).execute()
    expect(audit).toEqual([
      { action: 'tag.delete', account_name: 'alice' },
      { action: 'artifact.delete', account_name: 'alice' },
    ])
    expect(await test1.problems()).toEqual([])
  })

  describe('a blob', () => {
    const bytes = noise(6 * MB, 9)
    const blob = { digest: digestOf(bytes), size: bytes.length }

    test('whose source breaks is opened again where it broke', async () => {
      const source = sourceOf(bytes, 2 * MB)
      await ours.writeBlob('team/app', blob, source.open, { onSession: () => {} })
      expect(source.opened).toEqual([0, 2 * MB])
      expect(await readBlob(test1.first, 'team/app', blob.digest)).toEqual(bytes)
    })

    test('is gone on with by another process, from the bytes that were safe', async () => {
      let session: string | undefined
      const stop = new AbortController()
      const first = ours.writeBlob('team/app', blob, sourceOf(bytes).open, {
        signal: stop.signal,
        onSession: (id) => {
          session = id
        },
        onProgress: (count) => count > 4 * MB && stop.abort(new AppError('unavailable', 'killed')),
      })
      await expect(first).rejects.toThrow('killed')
      const source = sourceOf(bytes)
      const second = asRegistry({
        registry: test1.anotherProcess(),
        authorizer: createAuthorizer({
          db: test1.first.db,
          clock: test1.clock,
          settings: { anonymousWrite: false, projectCreators: 'all' },
        }),
        clock: test1.clock,
        principal: async () => principal,
        settings: { publicByDefault: false },
      })
      await second.writeBlob('team/app', blob, source.open, { session, onSession: () => {} })
      expect(source.opened.length).toBe(1)
      expect(source.opened[0]).toBeGreaterThan(4 * MB - 1)
      expect(await readBlob(test1.first, 'team/app', blob.digest)).toEqual(bytes)
    })

    test('with a session that nobody knows begins anew', async () => {
      const source = sourceOf(bytes)
      const session = crypto.randomUUID()
      await ours.writeBlob('team/app', blob, source.open, { session, onSession: () => {} })
      expect(source.opened).toEqual([0])
    })

    test('that is too long, too short or not what it should be is refused', async () => {
      const put = (digest: typeof blob.digest, size: number, from = bytes) =>
        ours.writeBlob('team/app', { digest, size }, sourceOf(from).open)
      await expect(put(blob.digest, 5 * MB)).rejects.toThrow('more than the')
      await expect(put(digestOf(noise(1)), blob.size)).rejects.toThrow('have the digest')
      await expect(put(blob.digest, blob.size, bytes.slice(0, 5))).rejects.toThrow('ended after 5')
      expect(await ours.hasBlob('team/app', blob.digest)).toBe(false)
      expect(await test1.problems()).toEqual([])
    })

    test('that the quota has no room for is refused', async () => {
      const { db, projects } = test1.first
      await db.transaction((tx) =>
        projects.create(tx, { name: 'small', isPublic: false, quota: MB, createdBy: null }),
      )
      const put = ours.writeBlob('small/app', blob, sourceOf(bytes).open)
      await expect(put).rejects.toMatchObject({ code: 'quota_exceeded' })
    })
  })

  test('a read that ends in the middle leaves nothing open', async () => {
    const { first } = test1
    const bytes = noise(50, 1)
    await pushImage(first, 'team/app', [bytes], { tag: '1.0' })
    let isLeft = false
    // As where a bucket's bytes are passed on without a copy.
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(bytes.slice(0, 10)),
      cancel() {
        isLeft = true
      },
    })
    const open = async () => ({ kind: 'stream', stream }) as const
    const registry = adapter({ ...first, blobs: { ...first.blobs, open } })
    const stop = new AbortController()
    const blob = { digest: digestOf(bytes), size: bytes.length }
    const reading = await registry.readBlob('team/app', blob, { signal: stop.signal })
    const reader = reading.getReader()
    await reader.read()
    stop.abort(new Error('the job was cancelled'))
    // One more was read ahead, maybe.
    const readAll = async () => {
      for (;;) await reader.read()
    }
    await expect(readAll()).rejects.toThrow('the job was cancelled')
    expect(isLeft).toBe(true)
  })

  test('what may not be seen or pushed to is refused, also in the middle', async () => {
    await pushImage(test1.first, 'team/app', [noise(50, 1)], { tag: '1.0' })
    principal = alice
    const tag = { kind: 'tag', tag: '1.0' } as const
    await expect(ours.resolveManifest('team/app', tag)).rejects.toMatchObject({ code: 'denied' })
    const digest = digestOf(noise(50, 1))
    expect(await ours.mountBlob('mine/app', digest, 'team/app')).toBe(false)
    expect(await ours.mountBlob('mine/app', digest, undefined)).toBe(false)

    const bytes = noise(8 * MB, 4)
    const blob = { digest: digestOf(bytes), size: bytes.length }
    principal = { ...alice, isAdmin: true }
    const put = ours.writeBlob('team/app', blob, sourceOf(bytes).open, {
      onProgress: () => {
        principal = alice
      },
    })
    await expect(put).rejects.toMatchObject({ code: 'denied' })
    principal = { ...alice, isAdmin: true }
    expect(await ours.hasBlob('team/app', blob.digest)).toBe(false)

    await test1.first.db.query.updateTable('tag').set({ immutable: 1 }).execute()
    const other = imageOf([noise(50, 1)], { annotations: { a: 'b' } })
    const write = ours.writeManifest('team/app', other, { tag: '1.0' })
    await expect(write).rejects.toMatchObject({ code: 'immutable' })
  })
})

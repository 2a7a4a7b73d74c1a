import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { AppError, isAppError } from '../../lib/errors.ts'
import { newHex } from '../../lib/ids.ts'
import type { BlobAppender, BlobPosition, BlobSource, BlobStore } from './blob-store.ts'
import { openReadCache } from './read-cache.ts'
import { type AppenderStart, openS3Appender, tailObject } from './s3-appender.ts'
import { createS3Bucket } from './s3-bucket.ts'
import { createS3, type S3Settings } from './s3-client.ts'
import { copyPrefix, demandBytes, NOTHING_YET } from './s3-copy.ts'
import { createPartBuffers } from './s3-part-buffers.ts'
import { readState, tailNumber } from './s3-state.ts'
import { readBytes, readLater, streamRange } from './s3-stream.ts'

const KEY = /^[0-9a-f]{2}\/[0-9a-f]{30}$/
const FOLDER = 'blobs/'
const NAME = /^blobs\/(?<key>[0-9a-f]{2}\/[0-9a-f]{30})(?<tail>\.tail-[01])?$/
const NO_BYTES = new Uint8Array()
/**
 * Ranges that a process passes on at a time. Each is a connection to the bucket for as long as a
 * client takes, and Bun opens 256 for all that a process asks of anybody.
 */
const MOST_PASSED_ON = 128
/** A range of so many bytes is answered out of memory rather than by a copy of the whole. */
const IN_MEMORY_BYTES = 8 * 1024 * 1024
/** From so many keys on, all multipart uploads are listed at once instead of those of each key. */
const MANY_KEYS = 20

/**
 * Keeps blobs as objects `<prefix>blobs/<2 hex>/<30 hex>` in a bucket.
 * @param folder for copies and parts that are on their way; nothing in it must be kept
 * @param keepFree bytes of its disk that copies leave to others; 0 unless given
 * @throws AppError invalid_input
 */
export function openS3Store(
  settings: S3Settings,
  {
    folder,
    keepFree = 0,
    mostPassedOn = MOST_PASSED_ON,
  }: { folder: string; keepFree?: number; mostPassedOn?: number },
): BlobStore {
  const bucket = createS3Bucket(createS3(settings))
  const parts = join(folder, 'parts')
  mkdirSync(parts, { recursive: true, mode: 0o700 })
  const cache = openReadCache({
    folder: join(folder, 'blobs'),
    limitBytes: settings.cacheSize,
    keepFree,
  })
  const deps = { bucket, buffers: createPartBuffers({ folder: parts }) }
  // Positions up to which this process has just written, so that nobody else has since.
  const fresh = new WeakSet<BlobPosition>()
  const passing = new Set<object>()

  function nameOf(key: string): string {
    if (!KEY.test(key)) throw new AppError('internal', `not a storage key: ${key}`)
    return FOLDER + key
  }

  async function open(name: string, start: AppenderStart): Promise<BlobAppender> {
    const appender = await openS3Appender(deps, name, start)
    return {
      ...appender,
      async checkpoint(options) {
        const position = await appender.checkpoint(options)
        fresh.add(position)
        return position
      },
    }
  }

  async function startAt(name: string, position: BlobPosition): Promise<AppenderStart> {
    const state = readState(position)
    if (!state) return NOTHING_YET
    if ('object' in state) {
      return {
        ...NOTHING_YET,
        rest: await demandBytes(bucket, name, { start: 0, end: state.object - 1 }),
      }
    }
    const { upload, parts: sent, tail, hadTail = false } = state
    // A commit that failed afterwards has completed it: its object begins with the same bytes.
    if (!(await bucket.hasUpload({ name, id: upload }))) {
      return copyPrefix(bucket, name, name, position.offset)
    }
    const rest =
      tail === undefined
        ? NO_BYTES
        : await demandBytes(bucket, tailObject(name, tail.name), { start: 0, end: tail.size - 1 })
    return { upload, parts: sent, tailName: tail?.name ?? 1, hadTail, rest }
  }

  /** Makes an object of exactly these bytes out of one that begins with them. */
  async function cut(name: string, size: number): Promise<void> {
    const appender = await open(name, await copyPrefix(bucket, name, name, size))
    try {
      const position = await appender.checkpoint({ isLast: true })
      const state = readState(position)
      if (state && 'upload' in state) await completeParts(name, position)
    } finally {
      await appender.close()
    }
  }

  /** False: there is no such multipart upload any more. */
  async function completeParts(name: string, position: BlobPosition): Promise<boolean> {
    const state = readState(position)
    if (!state || 'object' in state) return true
    const { upload, tail, hadTail } = state
    const list = state.parts.map(([etag], i) => ({ number: i + 1, etag }))
    if (tail) list.push({ number: tailNumber(tail), etag: tail.etag })
    const done = await bucket.complete({ name, id: upload }, list)
    if (done && hadTail) forgetTails(name)
    return done
  }

  /** Nobody waits for it: what stays is found by the sweeper. */
  function forgetTails(name: string): void {
    bucket.remove([tailObject(name, 0), tailObject(name, 1)]).catch(() => {})
  }

  async function abortUploads(keys: readonly string[]): Promise<void> {
    const wanted = new Set(keys.map(nameOf))
    const starts = keys.length > MANY_KEYS ? [FOLDER] : [...wanted]
    for (const start of starts) {
      for await (const upload of bucket.uploads(start)) {
        if (wanted.has(upload.name)) await bucket.abort(upload)
      }
    }
  }

  const tailsOf = (name: string) => [tailObject(name, 0), tailObject(name, 1)]

  return {
    isRemote: true,

    async prove() {
      const name = `probe-${newHex(16)}`
      const bytes = Buffer.from(name)
      await bucket.put(name, bytes)
      const found = await readBytes(bucket, name, { start: 0, end: bytes.length - 1 })
      if (!found || Buffer.compare(found, bytes) !== 0) {
        throw new AppError('unavailable', 'the S3 storage gives back other bytes than it was given')
      }
      await bucket.abort({ name, id: await bucket.begin(name) })
      for await (const _ of bucket.list(name)) break
      for await (const _ of bucket.uploads(name)) break
      await bucket.remove([name])
    },

    newKey() {
      const hex = newHex(16)
      return `${hex.slice(0, 2)}/${hex.slice(2)}`
    },

    async append(key, position) {
      const name = nameOf(key)
      return open(name, await startAt(name, position))
    },

    async complete(key, position) {
      const name = nameOf(key)
      const { offset } = position
      const state = readState(position)
      if (!state) return bucket.put(name, NO_BYTES)
      if ('object' in state ? fresh.has(position) : await completeParts(name, position)) return
      // Completed before, by a request whose answer got lost or whose commit failed.
      const size = await bucket.size(name)
      if (size === offset) return
      if (size === undefined || size < offset) {
        throw new AppError('internal', `${key} has ${size ?? 0} bytes, but ${offset} were written`)
      }
      await cut(name, offset)
    },

    async adopt(key, position, newKey) {
      const name = nameOf(key)
      const newName = nameOf(newKey)
      const { offset } = position
      const state = readState(position)
      if (!state) return { offset: 0, state: null }
      // After this, nobody can add to the old multipart upload: the copy is of what is known.
      if ('upload' in state) await completeParts(name, position)
      const appender = await open(newName, await copyPrefix(bucket, name, newName, offset))
      try {
        return await appender.checkpoint()
      } finally {
        await appender.close()
      }
    },

    async read(key, size, range, { mayRedirect = false } = {}) {
      const name = nameOf(key)
      if (mayRedirect && settings.redirect === 'always') {
        return { kind: 'redirect', url: await bucket.link(name, settings.redirectExpires / 1000) }
      }
      const { start, end } = range ?? { start: 0, end: size - 1 }
      if (size === 0) {
        return (await bucket.size(name)) === undefined
          ? undefined
          : { kind: 'file', file: new Blob([]) }
      }
      const inMemory = async (): Promise<BlobSource | undefined> => {
        const bytes = await readBytes(bucket, name, { start, end })
        return bytes && { kind: 'file', file: new Blob([bytes]) }
      }
      const passedOn = async (): Promise<BlobSource | undefined> => {
        if (((await bucket.size(name)) ?? 0) < size) return undefined
        if (passing.size >= mostPassedOn) throw tooManyPassedOn()
        const stream = readLater(bucket, name, { start, end }, { underWay: passing })
        return { kind: 'stream', stream }
      }
      const isPart = end - start + 1 < size
      const isSmall = end - start < IN_MEMORY_BYTES
      if (isPart && isSmall && !(await cache.find(key, size))) return inMemory()
      try {
        const path = await cache.fill(key, size, (piece) => streamRange(bucket, name, piece))
        if (path === undefined) return undefined
        return { kind: 'file', file: Bun.file(path).slice(start, end + 1) }
      } catch (error) {
        // Nobody fails to read for want of room for a copy.
        if (isAppError(error, 'storage_full')) return isSmall ? inMemory() : passedOn()
        throw error
      }
    },

    async stream(key, size) {
      const name = nameOf(key)
      if (size > 0) return streamRange(bucket, name, { start: 0, end: size - 1 })
      return (await bucket.size(name)) === undefined ? undefined : new Blob([]).stream()
    },

    async size(key) {
      return bucket.size(nameOf(key))
    },

    async remove(keys) {
      if (keys.length === 0) return
      await abortUploads(keys)
      await bucket.remove(keys.map(nameOf).flatMap((name) => [name, ...tailsOf(name)]))
    },

    async removeUnfinished(keys) {
      if (keys.length === 0) return
      await abortUploads(keys)
      await bucket.remove(keys.map(nameOf).flatMap(tailsOf))
    },

    async room() {
      return Number.POSITIVE_INFINITY
    },

    async *list() {
      for await (const { name, size, modifiedAt } of bucket.list(FOLDER)) {
        const { key, tail } = NAME.exec(name)?.groups ?? {}
        if (key) yield { key, size, modifiedAt, isUnfinished: tail !== undefined }
      }
      for await (const { name, startedAt } of bucket.uploads(FOLDER)) {
        const { key } = NAME.exec(name)?.groups ?? {}
        if (key) yield { key, size: 0, modifiedAt: startedAt, isUnfinished: true }
      }
    },
  }
}

function tooManyPassedOn(): AppError {
  return new AppError(
    'unavailable',
    'the disk for copies is full, and as many blobs as can be passed on without one are on their ' +
      'way; try again, and have an administrator of the system make room',
    { retryAfter: 10 },
  )
}

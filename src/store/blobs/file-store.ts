import { closeSync, fsync, mkdirSync, openSync } from 'node:fs'
import { open, readdir, stat, statfs, truncate, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { codeOf } from '../../lib/code-of.ts'
import { AppError } from '../../lib/errors.ts'
import { newHex } from '../../lib/ids.ts'
import type { BlobPosition, BlobStore } from './blob-store.ts'
import { createBufferPool, openFileAppender } from './file-appender.ts'
import { onDisk } from './file-errors.ts'

const NOTHING: BlobPosition = { offset: 0, state: null }
const KEY = /^([0-9a-f]{2})\/[0-9a-f]{30}$/

/** Keeps blobs as files `<folder>/<2 hex>/<30 hex>`. The 256 folders exist from the start. */
export async function openFileStore(folder: string): Promise<BlobStore> {
  const shards = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))
  for (const shard of shards) mkdirSync(join(folder, shard), { recursive: true, mode: 0o700 })
  await syncFolder(folder)
  const buffers = createBufferPool()
  function pathOf(key: string): string {
    if (!KEY.test(key)) throw new AppError('internal', `not a storage key: ${key}`)
    return join(folder, key)
  }

  function openAt(key: string, size: number): Blob | undefined {
    const file = Bun.file(pathOf(key))
    return file.size < size ? undefined : file
  }

  return {
    isRemote: false,
    // The folders above could be made and synced.
    async prove() {},
    newKey() {
      const hex = newHex(16)
      return `${hex.slice(0, 2)}/${hex.slice(2)}`
    },
    append: (key, position) => openFileAppender(pathOf(key), position, buffers),
    async complete(key, { offset }) {
      const path = pathOf(key)
      // A checkpoint has synced the bytes; only a length that changes here needs another sync.
      const { size } = await stat(path)
      if (size < offset) {
        throw new AppError('internal', `${key} has ${size} bytes, but ${offset} were written`)
      }
      if (size > offset) {
        await truncate(path, offset)
        const file = await open(path, 'r+')
        await onDisk(() => file.datasync()).finally(() => file.close())
      }
      await syncFolder(dirname(path))
    },
    async adopt(key, { offset }, newKey) {
      const appender = await openFileAppender(pathOf(newKey), NOTHING, buffers)
      try {
        const prefix = openAt(key, offset)
        if (offset > 0 && !prefix) {
          throw new AppError(
            'internal',
            `the ${offset} bytes of an upload under ${key} are missing`,
          )
        }
        if (prefix)
          for await (const chunk of prefix.slice(0, offset).stream()) await appender.write(chunk)
        return await appender.checkpoint()
      } finally {
        await appender.close()
      }
    },
    async read(key, size, range) {
      const file = openAt(key, size)
      const { start, end } = range ?? { start: 0, end: size - 1 }
      return file && { kind: 'file', file: file.slice(start, end + 1) }
    },
    async stream(key, size) {
      return openAt(key, size)?.slice(0, size).stream()
    },
    async size(key) {
      return stat(pathOf(key)).then(
        (found) => found.size,
        () => undefined,
      )
    },
    async remove(keys) {
      for (const key of keys) {
        await unlink(pathOf(key)).catch((error: unknown) => {
          if (codeOf(error) !== 'ENOENT') throw error
        })
      }
    },
    // What is written is the file itself, complete or not.
    async removeUnfinished() {},
    async room() {
      const { bavail, bsize } = await statfs(folder)
      return bavail * bsize
    },
    async *list() {
      for (const shard of shards) {
        for (const name of await readdir(join(folder, shard))) {
          const key = `${shard}/${name}`
          const found = await stat(join(folder, key)).catch(() => undefined)
          if (!found || !KEY.test(key)) continue
          yield { key, size: found.size, modifiedAt: found.mtimeMs, isUnfinished: false }
        }
      }
    },
  }
}

const syncFd = promisify(fsync)

/** Opening a folder takes microseconds; only the sync is worth another thread. */
async function syncFolder(path: string): Promise<void> {
  const folder = openSync(path, 'r')
  try {
    await syncFd(folder)
  } finally {
    closeSync(folder)
  }
}

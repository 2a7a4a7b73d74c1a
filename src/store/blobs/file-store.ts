import { constants, mkdirSync } from 'node:fs'
import { type FileHandle, open, readdir, stat, statfs, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../../lib/errors.ts'
import { newHex } from '../../lib/ids.ts'
import type { BlobAppender, BlobPosition, BlobStore } from './blob-store.ts'

/** Chunks are gathered up to this size, so that a system call moves something worth it. */
const WRITE_SIZE = 1024 * 1024
const KEY = /^([0-9a-f]{2})\/[0-9a-f]{30}$/

/** Keeps blobs as files `<folder>/<2 hex>/<30 hex>`. The 256 folders exist from the start. */
export async function openFileStore(folder: string): Promise<BlobStore> {
  const shards = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))
  for (const shard of shards) mkdirSync(join(folder, shard), { recursive: true, mode: 0o700 })
  await syncFolder(folder)

  function pathOf(key: string): string {
    if (!KEY.test(key)) throw new AppError('internal', `not a storage key: ${key}`)
    return join(folder, key)
  }

  return {
    newKey() {
      const hex = newHex(16)
      return `${hex.slice(0, 2)}/${hex.slice(2)}`
    },
    async append(key, position) {
      return openAppender(pathOf(key), position)
    },
    async complete(key, { offset }) {
      const path = pathOf(key)
      const file = await open(path, 'r+')
      try {
        const { size } = await file.stat()
        // A checkpoint has synced the bytes; only a length that changes here needs another sync.
        if (size !== offset) {
          await file.truncate(offset)
          await onDisk(() => file.datasync())
        }
      } finally {
        await file.close()
      }
      await syncFolder(join(path, '..'))
    },
    async read(key, size, range) {
      const path = pathOf(key)
      const file = Bun.file(path)
      if (file.size < size) return undefined
      const { start, end } = range ?? { start: 0, end: size - 1 }
      return { kind: 'file', file: file.slice(start, end + 1) }
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
    async room() {
      const { bavail, bsize } = await statfs(folder)
      return bavail * bsize
    },
    async *list() {
      for (const shard of shards) {
        for (const name of await readdir(join(folder, shard))) {
          const key = `${shard}/${name}`
          const found = await stat(join(folder, key)).catch(() => undefined)
          if (found && KEY.test(key)) yield { key, size: found.size, modifiedAt: found.mtimeMs }
        }
      }
    },
  }
}

async function openAppender(path: string, { offset }: BlobPosition): Promise<BlobAppender> {
  const file = await open(path, constants.O_CREAT | constants.O_WRONLY, 0o600)
  await file.truncate(offset)
  let position = offset
  let gathered: Uint8Array[] = []
  let gatheredSize = 0
  // One write is under way while the caller receives and hashes what comes next.
  let writing: Promise<void> = Promise.resolve()
  let closed = false

  async function flush(): Promise<void> {
    await writing
    const chunks = gathered
    gathered = []
    gatheredSize = 0
    if (chunks.length === 0) return
    writing = onDisk(async () => {
      position += await writeAll(file, chunks, position)
    })
    // Whoever awaits next gets the error; until then it must not count as unhandled.
    writing.catch(() => {})
  }

  return {
    async write(chunk) {
      gathered.push(chunk)
      gatheredSize += chunk.length
      if (gatheredSize >= WRITE_SIZE) await flush()
    },
    async checkpoint() {
      await flush()
      await writing
      await onDisk(() => file.datasync())
      return { offset: position, state: null }
    },
    async close() {
      if (closed) return
      closed = true
      await writing.catch(() => {})
      await file.close()
    },
  }
}

async function writeAll(file: FileHandle, chunks: Uint8Array[], at: number): Promise<number> {
  const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  let { bytesWritten: done } = await file.writev(chunks, at)
  if (done === size) return size
  // A disk that fills up takes a part and says why at the next call.
  const rest = Buffer.concat(chunks)
  while (done < size) {
    done += (await file.write(rest, done, size - done, at + done)).bytesWritten
  }
  return size
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (['ENOSPC', 'EDQUOT'].includes(codeOf(error))) {
      throw new AppError(
        'storage_full',
        'the disk that holds the blobs is full; nothing of this upload was kept',
        {},
        error,
      )
    }
    throw error
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { BlobAppender, BlobPosition } from './blob-store.ts'
import { onDisk } from './file-errors.ts'

/*
 * Writes through a few buffers that are used again and again: keeping the chunks as they come from
 * the network until a write is worth it would leave the collector hundreds of megabytes behind.
 */

const BUFFER_SIZE = 256 * 1024
/** Free buffers that a process keeps; more are let go. */
const POOL_LIMIT = 64

export interface BufferPool {
  take(): Uint8Array
  give(buffer: Uint8Array | undefined): void
}

export function createBufferPool(): BufferPool {
  const free: Uint8Array[] = []
  return {
    take: () => free.pop() ?? new Uint8Array(BUFFER_SIZE),
    give(buffer) {
      if (buffer && free.length < POOL_LIMIT) free.push(buffer)
    },
  }
}

/** Opens a file for writing from `offset` on; what stands beyond it is cut off. */
export async function openFileAppender(
  path: string,
  { offset }: BlobPosition,
  pool: BufferPool,
): Promise<BlobAppender> {
  const file = await open(path, constants.O_CREAT | constants.O_WRONLY, 0o600)
  if (offset > 0 || (await file.stat()).size > 0) await file.truncate(offset)
  let position = offset
  // One buffer is filled with what comes next while the other one is being written.
  let filling: Uint8Array | undefined
  let filled = 0
  let writing: Promise<void> = Promise.resolve()
  let closed = false

  async function flush(): Promise<void> {
    await writing
    const buffer = filling
    const size = filled
    filling = undefined
    filled = 0
    if (!buffer) return
    const at = position
    position += size
    writing = onDisk(() => writeAll(file, buffer, size, at)).finally(() => pool.give(buffer))
    // Whoever awaits next gets the error; until then it must not count as unhandled.
    writing.catch(() => {})
  }

  return {
    async write(chunk) {
      for (let taken = 0; taken < chunk.length; ) {
        filling ??= pool.take()
        const part = chunk.subarray(taken, taken + filling.length - filled)
        filling.set(part, filled)
        filled += part.length
        taken += part.length
        if (filled === filling.length) await flush()
      }
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
      pool.give(filling)
      filling = undefined
      await file.close()
    },
  }
}

async function writeAll(
  file: FileHandle,
  bytes: Uint8Array,
  size: number,
  at: number,
): Promise<void> {
  for (let done = 0; done < size; ) {
    const { bytesWritten } = await file.write(bytes, done, size - done, at + done)
    done += bytesWritten
  }
}

import { randomUUID } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { onDisk } from './file-errors.ts'
import { FIRST_BUFFER_BYTES, MEMORY_PART_BYTES } from './s3-part-sizes.ts'

/*
 * Where a part is put together before it is sent: its size must be known then, and it may have to
 * be sent twice. Buffers grow with what arrives, since most uploads are small, and are used again.
 */

const MIB = 1024 * 1024
const CLASSES = [MIB / 4, MIB, 8 * MIB, FIRST_BUFFER_BYTES, 16 * MIB, 32 * MIB, MEMORY_PART_BYTES]
/** Free bytes that a process keeps for the next parts. */
const KEPT_BYTES = 64 * MIB

/** A part in the making. One user at a time. */
export interface PartBuffer {
  readonly length: number
  readonly capacity: number
  /** Takes as much of the chunk as there is room for; returns how many bytes. */
  fill(chunk: Uint8Array): Promise<number>
  /** Takes off what is beyond `size`. The bytes are good until `release`. */
  cut(size: number): Promise<Uint8Array>
  /** What was filled in, to be sent as often as needed until `release`. */
  body(): Uint8Array<ArrayBuffer> | Blob
  /** Safe to call twice. */
  release(): Promise<void>
}

export interface PartBuffers {
  open(capacity: number): Promise<PartBuffer>
  /** Bytes of memory that are in use or kept. */
  readonly held: number
}

/** @param folder for parts that are too large for memory */
export function createPartBuffers({ folder }: { folder: string }): PartBuffers {
  const free = new Map<number, Uint8Array<ArrayBuffer>[]>()
  let kept = 0
  let used = 0

  function take(size: number): Uint8Array<ArrayBuffer> {
    used += size
    const buffer = free.get(size)?.pop()
    if (buffer) kept -= size
    return buffer ?? new Uint8Array(size)
  }

  function give(buffer: Uint8Array<ArrayBuffer>): void {
    used -= buffer.length
    if (kept + buffer.length > KEPT_BYTES) return
    kept += buffer.length
    const same = free.get(buffer.length)
    if (same) same.push(buffer)
    else free.set(buffer.length, [buffer])
  }

  function inMemory(capacity: number): PartBuffer {
    let buffer: Uint8Array<ArrayBuffer> | undefined
    let length = 0
    return {
      get length() {
        return length
      },
      capacity,
      async fill(chunk) {
        const part = chunk.subarray(0, capacity - length)
        const needed = length + part.length
        if (!buffer || buffer.length < needed) {
          const larger = take(CLASSES.find((size) => size >= needed) ?? capacity)
          if (buffer) {
            larger.set(buffer.subarray(0, length))
            give(buffer)
          }
          buffer = larger
        }
        buffer.set(part, length)
        length = needed
        return part.length
      },
      async cut(size) {
        const rest = (buffer ?? new Uint8Array()).subarray(size, length)
        length -= rest.length
        return rest
      },
      body: () => (buffer ?? new Uint8Array()).subarray(0, length),
      async release() {
        if (buffer) give(buffer)
        buffer = undefined
      },
    }
  }

  async function onFile(capacity: number): Promise<PartBuffer> {
    const path = join(folder, `part-${randomUUID()}`)
    let file: FileHandle | undefined = await onDisk(() => open(path, 'wx', 0o600))
    let length = 0
    return {
      get length() {
        return length
      },
      capacity,
      async fill(chunk) {
        const handle = file
        if (!handle) throw new Error('a part that was released')
        const part = chunk.subarray(0, capacity - length)
        for (let done = 0; done < part.length; ) {
          const at = length + done
          const wrote = await onDisk(() => handle.write(part, done, part.length - done, at))
          done += wrote.bytesWritten
        }
        length += part.length
        return part.length
      },
      async cut(size) {
        const rest = await Bun.file(path).slice(size, length).bytes()
        length -= rest.length
        return rest
      },
      body: () => Bun.file(path).slice(0, length),
      async release() {
        await file?.close()
        if (file) await unlink(path)
        file = undefined
      },
    }
  }

  return {
    get held() {
      return used + kept
    },
    open: async (capacity) =>
      capacity > MEMORY_PART_BYTES ? onFile(capacity) : inMemory(capacity),
  }
}

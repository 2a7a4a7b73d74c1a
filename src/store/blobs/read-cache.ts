import { mkdirSync } from 'node:fs'
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  rename,
  stat,
  statfs,
  unlink,
  utimes,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AppError, isAppError } from '../../lib/errors.ts'
import { newHex } from '../../lib/ids.ts'
import { createLimit } from '../../lib/limit.ts'
import type { ByteRange } from '../../oci/range.ts'
import { onDisk } from './file-errors.ts'

/*
 * Copies of blobs on the local disk, for clients that are not sent to the bucket: Bun keeps the
 * length of an answer only where the body is a file. What is here can be lost at any time. Several
 * processes share the folder: a copy gets its name when it is whole, and the name of a key never
 * stands for other bytes.
 */

const UNFINISHED = '.part'
/** An answer opens its file a moment after it was chosen. */
const IN_USE_MS = 60_000
/** A copy that is still being made says so this often, at least; an older one was given up. */
const ABANDONED_MS = 3_600_000
/** How much may be added before the folder is measured again, as a share of its limit. */
const MEASURE_SHARE = 0.05
/** For so long a disk on which too much was lacking is not searched for as much again. */
const REFUSED_MS = 5_000
const FULL =
  'the disk through which the registry passes blobs of its bucket is full; an administrator of the ' +
  'system has to make room'
const PIECE_BYTES = 32 * 1024 * 1024
const AT_ONCE = 4

export interface ReadCache {
  /** The copy, if there is one. */
  find(key: string, size: number): Promise<string | undefined>
  /**
   * Makes the copy, once for all who ask; undefined when there are no such bytes. Large ones are
   * asked for in pieces, several at once, since nothing can be sent before the last one came.
   * @throws AppError storage_full where the disk is, also without the copies that nobody uses
   */
  fill(key: string, size: number, source: Source): Promise<string | undefined>
}

interface Copy {
  path: string
  size: number
  /** Epoch milliseconds. */
  usedAt: number
}

/** A copy that is being made. */
interface Making {
  /** Bytes that it will still take. */
  rest: number
}

async function roomOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

const sumOf = (copies: Copy[]) => copies.reduce((sum, { size }) => sum + size, 0)

type Source = (range: ByteRange) => Promise<AsyncIterable<Uint8Array> | undefined>

function piecesOf(size: number): ByteRange[] {
  return Array.from({ length: Math.ceil(size / PIECE_BYTES) }, (_, i) => ({
    start: i * PIECE_BYTES,
    end: Math.min((i + 1) * PIECE_BYTES, size) - 1,
  }))
}

/** False: there are no such bytes. */
async function copyPiece(
  file: FileHandle,
  piece: ByteRange,
  source: Source,
  making: Making,
): Promise<boolean> {
  const stream = await source(piece)
  if (!stream) return false
  let at = piece.start
  for await (const chunk of stream) {
    for (let done = 0; done < chunk.length; ) {
      const wrote = await onDisk(() => file.write(chunk, done, chunk.length - done, at), FULL)
      done += wrote.bytesWritten
      at += wrote.bytesWritten
      making.rest -= wrote.bytesWritten
    }
  }
  if (at === piece.end + 1) return true
  throw new Error(`a copy has ${at - piece.start} bytes of ${piece.end - piece.start + 1}`)
}

/**
 * @param limitBytes of all copies together; one that is larger is kept while it is in use
 * @param keepFree bytes of the disk that are left to others; 0 unless given
 * @param room bytes that the disk can still take
 */
export function openReadCache({
  folder,
  limitBytes,
  keepFree = 0,
  room = () => roomOf(folder),
}: {
  folder: string
  limitBytes: number
  keepFree?: number
  room?: () => Promise<number>
}): ReadCache {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const running = new Map<string, Promise<string | undefined>>()
  const makings = new Set<Making>()
  // Who looks for room sees what was promised to those before.
  const inTurn = createLimit(1)
  let refused = { lacking: 0, until: 0 }
  let unmeasured = Number.POSITIVE_INFINITY
  const pathOf = (key: string) => join(folder, key)

  async function make(key: string, size: number, source: Source): Promise<string | undefined> {
    // Somebody who needs room may have removed all of it.
    await onDisk(() => mkdir(folder, { recursive: true, mode: 0o700 }), FULL)
    const making = await inTurn(async () => {
      await demandRoom(size)
      const promised = { rest: size }
      makings.add(promised)
      return promised
    })
    try {
      await makeRoom(size)
      return await copy(making, key, size, source).catch((error: unknown) =>
        copyOntoFullDisk(error, making, key, size, source),
      )
    } finally {
      makings.delete(making)
    }
  }

  async function copy(
    making: Making,
    key: string,
    size: number,
    source: Source,
  ): Promise<string | undefined> {
    making.rest = size
    const path = pathOf(key)
    await onDisk(() => mkdir(dirname(path), { recursive: true, mode: 0o700 }), FULL)
    const unfinished = `${path}.${newHex(8)}${UNFINISHED}`
    const file = await onDisk(() => open(unfinished, 'wx', 0o600), FULL)
    const pieces = piecesOf(size).values()
    // False once a piece was not there or broke off: the others need not go on.
    let isWhole = true
    const copyPieces = async () => {
      for (const piece of pieces) {
        if (!isWhole) return
        const isThere = await copyPiece(file, piece, source, making).catch((error: unknown) => {
          isWhole = false
          throw error
        })
        isWhole &&= isThere
      }
    }
    const ended = await Promise.allSettled(Array.from({ length: AT_ONCE }, copyPieces))
    await file.close()
    if (isWhole) await rename(unfinished, path)
    else await unlink(unfinished)
    const failed = ended.find((one) => one.status === 'rejected')
    if (failed) throw failed.reason
    return isWhole ? path : undefined
  }

  /** Removes what was not used for longest, until `size` bytes more stay below the limit. */
  async function makeRoom(size: number): Promise<void> {
    unmeasured += size
    if (unmeasured < limitBytes * MEASURE_SHARE) return
    await keepWithin(limitBytes, size)
  }

  /**
   * Sees that the disk has room for `size` bytes before the first of them is asked for: that it has
   * not would come out after many gigabytes, maybe.
   */
  async function demandRoom(size: number): Promise<void> {
    const free = await room()
    const promised = [...makings].reduce((sum, { rest }) => sum + rest, 0)
    const lacking = size + promised + keepFree - free
    if (lacking <= 0) return
    const now = Date.now()
    if (now < refused.until && lacking >= refused.lacking) throw new AppError('storage_full', FULL)
    const copies = await measure()
    const idle = copies.filter(({ usedAt }) => usedAt <= now - IN_USE_MS)
    // Copies that would not be enough are worth more than none.
    if (sumOf(idle) < lacking) {
      refused = { lacking, until: Date.now() + REFUSED_MS }
      throw new AppError('storage_full', FULL)
    }
    // Some more than is lacking, so that the next ones need not measure all of them again.
    const kept = sumOf(copies) + size - lacking - limitBytes * MEASURE_SHARE
    await keepWithin(Math.min(limitBytes, kept), size, copies)
  }

  /** Returns how many bytes were given back. */
  async function keepWithin(limit: number, size: number, measured?: Copy[]): Promise<number> {
    unmeasured = 0
    const copies = measured ?? (await measure())
    let removed = 0
    let total = sumOf(copies) + size
    const now = Date.now()
    for (const { path, size: bytes, usedAt } of copies.sort((a, b) => a.usedAt - b.usedAt)) {
      const isGivenUp = path.endsWith(UNFINISHED) && usedAt < now - ABANDONED_MS
      if (!isGivenUp && (total <= limit || usedAt > now - IN_USE_MS)) continue
      await unlink(path).catch(() => {})
      total -= bytes
      removed += bytes
    }
    // Nothing may be removed yet: look again with the next one.
    if (total > limit) unmeasured = Number.POSITIVE_INFINITY
    return removed
  }

  /** Others have filled the disk meanwhile. Copies are what it needs least. */
  async function copyOntoFullDisk(
    failure: unknown,
    ...copied: Parameters<typeof copy>
  ): Promise<string | undefined> {
    if (!isAppError(failure, 'storage_full') || (await keepWithin(0, 0)) === 0) throw failure
    return copy(...copied)
  }

  async function measure(): Promise<Copy[]> {
    const names = await readdir(folder, { recursive: true })
    const found = await Promise.all(
      names.map(async (name) => {
        const path = join(folder, name)
        const about = await stat(path).catch(() => undefined)
        return about?.isFile() ? [{ path, size: about.size, usedAt: about.mtimeMs }] : []
      }),
    )
    return found.flat()
  }

  async function find(key: string, size: number): Promise<string | undefined> {
    const path = pathOf(key)
    const found = await stat(path).catch(() => undefined)
    if (found?.size !== size) return undefined
    const now = new Date()
    // The time of a copy is that of its last use. Gone since: it has to be made again.
    if (found.mtimeMs < now.getTime() - IN_USE_MS / 4) {
      const touched = await utimes(path, now, now).then(
        () => true,
        () => false,
      )
      if (!touched) return undefined
    }
    return path
  }

  return {
    find,
    async fill(key, size, source) {
      const found = await find(key, size)
      if (found !== undefined) return found
      const already = running.get(key)
      if (already) return already
      const made = make(key, size, source).finally(() => running.delete(key))
      running.set(key, made)
      return made
    },
  }
}

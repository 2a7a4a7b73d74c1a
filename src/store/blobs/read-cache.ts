import { mkdirSync } from 'node:fs'
import { mkdir, open, readdir, rename, stat, unlink, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { newHex } from '../../lib/ids.ts'
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

export interface ReadCache {
  /** The copy, if there is one. */
  find(key: string, size: number): Promise<string | undefined>
  /** Makes the copy, once for all who ask; undefined when there are no such bytes. */
  fill(
    key: string,
    size: number,
    source: () => Promise<AsyncIterable<Uint8Array> | undefined>,
  ): Promise<string | undefined>
}

/** @param limitBytes of all copies together; one that is larger is kept while it is in use */
export function openReadCache({
  folder,
  limitBytes,
}: {
  folder: string
  limitBytes: number
}): ReadCache {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const running = new Map<string, Promise<string | undefined>>()
  let unmeasured = Number.POSITIVE_INFINITY
  const pathOf = (key: string) => join(folder, key)

  async function copy(
    key: string,
    size: number,
    source: () => Promise<AsyncIterable<Uint8Array> | undefined>,
  ): Promise<string | undefined> {
    await makeRoom(size)
    const stream = await source()
    if (!stream) return undefined
    const path = pathOf(key)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const unfinished = `${path}.${newHex(8)}${UNFINISHED}`
    const file = await onDisk(() => open(unfinished, 'wx', 0o600))
    let written = 0
    try {
      for await (const chunk of stream) {
        for (let done = 0; done < chunk.length; ) {
          const at = written + done
          const wrote = await onDisk(() => file.write(chunk, done, chunk.length - done, at))
          done += wrote.bytesWritten
        }
        written += chunk.length
      }
      await file.close()
      if (written !== size) throw new Error(`${key} has ${written} bytes instead of ${size}`)
      await rename(unfinished, path)
    } catch (error) {
      await file.close().catch(() => {})
      await unlink(unfinished).catch(() => {})
      throw error
    }
    return path
  }

  /** Removes what was not used for longest, until `size` bytes more stay below the limit. */
  async function makeRoom(size: number): Promise<void> {
    unmeasured += size
    if (unmeasured < limitBytes * MEASURE_SHARE) return
    unmeasured = 0
    const copies = await measure()
    let total = copies.reduce((sum, found) => sum + found.size, size)
    const now = Date.now()
    for (const { path, size: bytes, usedAt } of copies.sort((a, b) => a.usedAt - b.usedAt)) {
      const isGivenUp = path.endsWith(UNFINISHED) && usedAt < now - ABANDONED_MS
      if (!isGivenUp && (total <= limitBytes || usedAt > now - IN_USE_MS)) continue
      await unlink(path).catch(() => {})
      total -= bytes
    }
    // Nothing may be removed yet: look again with the next one.
    if (total > limitBytes) unmeasured = Number.POSITIVE_INFINITY
  }

  async function measure(): Promise<{ path: string; size: number; usedAt: number }[]> {
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
      const made = copy(key, size, source).finally(() => running.delete(key))
      running.set(key, made)
      return made
    },
  }
}

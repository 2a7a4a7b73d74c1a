import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { processTree } from './processes.ts'

/** `pages`: every page counted once. `RSS`: where the kernel does not tell which pages they are. */
type MemoryKind = 'pages' | 'RSS'
export type Memory = { bytes: number; kind: MemoryKind }

const pageSize = Number(Bun.spawnSync(['getconf', 'PAGESIZE']).stdout.toString())
/** An entry of /proc/<pid>/pagemap; its flags stand in the upper half (pagemap(5)). */
const entrySize = 8
const present = 0x8000_0000
const ofFile = 0x2000_0000
const chunk = Buffer.allocUnsafe(1024 * 1024)

/**
 * Memory of processes and their descendants: their anonymous pages, and of every file they have
 * mapped the pages that at least one of them uses, each once. So the workers of one program are not
 * charged for its code several times, and, unlike with PSS, strangers that run the same program
 * (the bench itself is Bun too) do not take a share of it.
 */
export function treeMemory(...roots: readonly number[]): Memory {
  const tree = processTree(...roots)
  const seen = new Map<string, Uint8Array>()
  let bytes = 0
  try {
    for (const pid of tree) {
      const anonymous = kilobytes(`/proc/${pid}/smaps_rollup`, 'Pss_Anon')
      if (anonymous === null) continue
      bytes += anonymous * 1024 + newFilePages(pid, seen) * pageSize
    }
    return { bytes, kind: 'pages' }
  } catch (error) {
    if (!isForbidden(error)) throw error
    // Processes of another user keep their pages to themselves.
    const resident = tree.map((pid) => kilobytes(`/proc/${pid}/status`, 'VmRSS') ?? 0)
    return { bytes: resident.reduce((sum, kb) => sum + kb, 0) * 1024, kind: 'RSS' }
  }
}

const everyMs = 200

/** Watches the memory of the trees; `stop` gives the largest sum that was seen. */
export function watchMemory(...roots: readonly number[]): { stop(): Memory } {
  let peak = treeMemory(...roots)
  const timer = setInterval(look, everyMs)

  return { stop }

  function look(): void {
    const now = treeMemory(...roots)
    if (now.bytes > peak.bytes) peak = now
  }

  function stop(): Memory {
    clearInterval(timer)
    look()
    return peak
  }
}

/** Counts the pages of files that `pid` uses and that are not in `seen` yet, and puts them there. */
function newFilePages(pid: number, seen: Map<string, Uint8Array>): number {
  const maps = read(`/proc/${pid}/maps`) ?? ''
  const pagemap = openPagemap(pid)
  if (pagemap === null) return 0
  let count = 0
  try {
    for (const line of maps.split('\n')) {
      const match = /^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) (\S+ [1-9]\d*)/.exec(line)
      if (match === null) continue
      const [start = 0, end = 0, offset = 0] = match
        .slice(1, 4)
        .map((hex) => Number.parseInt(hex, 16) / pageSize)
      const file = match[4] ?? ''
      const pages = roomFor(seen, file, offset + end - start)
      count += markPages(pagemap, { start, count: end - start }, pages, offset)
    }
  } finally {
    closeSync(pagemap)
  }
  return count
}

/** The marks of a file's pages, for at least `count` of them. */
function roomFor(seen: Map<string, Uint8Array>, file: string, count: number): Uint8Array {
  const known = seen.get(file)
  if (known !== undefined && known.length >= count) return known
  const pages = new Uint8Array(count)
  if (known !== undefined) pages.set(known)
  seen.set(file, pages)
  return pages
}

function markPages(
  pagemap: number,
  range: { start: number; count: number },
  pages: Uint8Array,
  offset: number,
): number {
  let found = 0
  for (let done = 0; done < range.count; ) {
    const wanted = Math.min(chunk.length, (range.count - done) * entrySize)
    const got = readSync(pagemap, chunk, 0, wanted, (range.start + done) * entrySize) / entrySize
    if (got === 0) break
    for (let i = 0; i < got; i++) {
      const flags = chunk.readUInt32LE(i * entrySize + 4)
      // A page of a private mapping that was written to is anonymous, and counted there.
      if ((flags & present) === 0 || (flags & ofFile) === 0) continue
      const page = offset + done + i
      if (pages[page] === 1) continue
      pages[page] = 1
      found += 1
    }
    done += got
  }
  return found
}

function kilobytes(path: string, key: string): number | null {
  const found = new RegExp(`^${key}: *(\\d+) kB`, 'm').exec(read(path) ?? '')
  return found === null ? null : Number(found[1])
}

function read(path: string): string | null {
  return ifAlive(() => readFileSync(path, 'utf8'))
}

function openPagemap(pid: number): number | null {
  return ifAlive(() => openSync(`/proc/${pid}/pagemap`, 'r'))
}

/** Null for a process that has ended meanwhile. */
function ifAlive<T>(look: () => T): T | null {
  try {
    return look()
  } catch (error) {
    if (isForbidden(error)) throw error
    return null
  }
}

function isForbidden(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : ''
  return code === 'EACCES' || code === 'EPERM'
}

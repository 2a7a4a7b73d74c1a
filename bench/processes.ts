import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts CPU time in hundredths of a second on every architecture that Bun runs on. */
const ticksPerSecond = 100

type MemoryKind = 'PSS' | 'RSS'
export type Memory = { bytes: number; kind: MemoryKind }

/** The process and all its descendants that are alive. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const fields = Number.isInteger(pid) ? statFields(pid) : null
    if (fields === null) continue
    const parent = Number(fields[1])
    children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  const tree = [root]
  for (const pid of tree) tree.push(...(children.get(pid) ?? []))
  return tree
}

/** CPU seconds of the tree, user and system, with those of children that have ended. */
export function cpuSeconds(root: number): number {
  let ticks = 0
  for (const pid of processTree(root)) {
    const fields = statFields(pid)
    // utime, stime, cutime, cstime: fields 14 to 17 of proc_pid_stat(5).
    for (const field of fields?.slice(11, 15) ?? []) ticks += Number(field)
  }
  return ticks / ticksPerSecond
}

/**
 * Memory of the tree: the sum of PSS, in which a page shared by n processes counts 1/n in each, so
 * that workers of one program are not charged for its code several times. Where PSS cannot be
 * read, the sum of RSS.
 */
export function treeMemory(root: number): Memory {
  let bytes = 0
  let kind: MemoryKind = 'PSS'
  for (const pid of processTree(root)) {
    const pss = kilobytes(`/proc/${pid}/smaps_rollup`, 'Pss')
    if (pss === null) kind = 'RSS'
    bytes += (pss ?? kilobytes(`/proc/${pid}/status`, 'VmRSS') ?? 0) * 1024
  }
  return { bytes, kind }
}

/** Watches the memory of a tree; `stop` gives the largest sum that was seen. */
export function watchMemory(root: number, everyMs = 200): { stop(): Memory } {
  let peak = treeMemory(root)
  const timer = setInterval(look, everyMs)

  return { stop }

  function look(): void {
    const now = treeMemory(root)
    if (now.bytes > peak.bytes) peak = now
  }

  function stop(): Memory {
    clearInterval(timer)
    look()
    return peak
  }
}

/** Fields of /proc/<pid>/stat from the third on: the name before them may hold anything. */
function statFields(pid: number): string[] | null {
  const text = read(`/proc/${pid}/stat`)
  return text === null ? null : text.slice(text.lastIndexOf(')') + 2).split(' ')
}

function kilobytes(path: string, key: string): number | null {
  const found = new RegExp(`^${key}: *(\\d+) kB`, 'm').exec(read(path) ?? '')
  return found === null ? null : Number(found[1])
}

/** Null for a process that has ended meanwhile. */
function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

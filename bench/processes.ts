import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts CPU time in hundredths of a second on every architecture that Bun runs on. */
const ticksPerSecond = 100

/** The processes and all their descendants that are alive. */
export function processTree(...roots: readonly number[]): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const fields = Number.isInteger(pid) ? statFields(pid) : null
    if (fields === null) continue
    const parent = Number(fields[1])
    children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  const tree = [...roots]
  for (const pid of tree) tree.push(...(children.get(pid) ?? []))
  return tree
}

/** CPU seconds of the trees, user and system, with those of children that have ended. */
export function cpuSeconds(...roots: readonly number[]): number {
  let ticks = 0
  for (const pid of processTree(...roots)) {
    const fields = statFields(pid)
    // utime, stime, cutime, cstime: fields 14 to 17 of proc_pid_stat(5).
    for (const field of fields?.slice(11, 15) ?? []) ticks += Number(field)
  }
  return ticks / ticksPerSecond
}

/** Fields of /proc/<pid>/stat from the third on: the name before them may hold anything. */
function statFields(pid: number): string[] | null {
  const text = read(`/proc/${pid}/stat`)
  return text === null ? null : text.slice(text.lastIndexOf(')') + 2).split(' ')
}

/** Null for a process that has ended meanwhile. */
function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

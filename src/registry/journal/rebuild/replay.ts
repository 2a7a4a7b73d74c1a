import { isAppError } from '../../../lib/errors.ts'
import {
  decodeObject,
  type JournalObject,
  nameOfObject,
  type ObjectHeader,
  type ObjectName,
} from '../../../store/journal/journal-object.ts'
import type { JournalStore } from '../../../store/journal/journal-store.ts'
import { decodeRecord } from '../records.ts'
import type { Scratch } from './scratch.ts'

export interface Replay {
  /** When the last object was written, epoch milliseconds. */
  lastAt: number
  objects: number
  records: number
  installation: string | undefined
  /** Objects that are missing or damaged, one sentence each. */
  damage: string[]
}

/**
 * Reads a journal into `scratch`: its last complete snapshot and all changes from the start of that.
 * @param objects of one lineage, by number; one of them ends a snapshot
 */
export async function replay(
  store: JournalStore,
  objects: readonly ObjectName[],
  scratch: Scratch,
): Promise<Replay> {
  const result: Replay = { lastAt: 0, objects: 0, records: 0, installation: undefined, damage: [] }
  const { start, end, header: ending } = await findSnapshot(store, objects, result.damage)
  result.installation = ending?.installation
  const there = new Set(objects.map(({ sequence }) => sequence))
  const missing = new Set<number>()
  const demandPrevious = ({ previous }: { previous: number }) => {
    if (previous >= start && !there.has(previous)) missing.add(previous)
  }
  if (ending) demandPrevious(ending)
  for (const object of objects) {
    // Pages of a snapshot that was never finished say more than the changes around them.
    if (object.sequence < start || (object.kind === 'page' && object.sequence > end)) continue
    if (object.kind === 'end') continue
    const read = await readObject(store, object, result.damage)
    if (!read) continue
    const { header, records } = read
    demandPrevious(header)
    const decoded = decodeAll(records)
    if (!decoded) {
      result.damage.push(`journal object ${nameOfObject(object)} has records that cannot be read`)
      continue
    }
    scratch.apply(decoded)
    result.objects += 1
    result.records += records.length
    result.lastAt = Math.max(result.lastAt, header.at)
  }
  result.lastAt = Math.max(result.lastAt, ending?.at ?? 0)
  for (const sequence of missing) {
    result.damage.push(`journal object number ${sequence} is missing`)
  }
  return result
}

/** undefined: what has the right checksum was written by something else. */
function decodeAll(records: readonly string[]) {
  try {
    return records.map(decodeRecord)
  } catch {
    return undefined
  }
}

/** The last one whose end can be read. */
async function findSnapshot(
  store: JournalStore,
  objects: readonly ObjectName[],
  damage: string[],
): Promise<{ start: number; end: number; header?: ObjectHeader }> {
  for (const object of objects.filter(({ kind }) => kind === 'end').toReversed()) {
    const { header } = (await readObject(store, object, damage)) ?? {}
    if (header?.start === undefined) continue
    return { start: header.start, end: object.sequence, header }
  }
  return { start: 0, end: Number.POSITIVE_INFINITY }
}

/** undefined: it is damaged or missing, and `damage` has a sentence more. */
export async function readObject(
  store: JournalStore,
  object: ObjectName,
  damage: string[],
): Promise<JournalObject | undefined> {
  const name = nameOfObject(object)
  const bytes = await store.get(name)
  try {
    if (bytes) return decodeObject(name, bytes)
    damage.push(`journal object ${name} is missing`)
  } catch (error) {
    if (!isAppError(error, 'invalid_input')) throw error
    damage.push(`journal object ${name} ${error.message}`)
  }
  return undefined
}

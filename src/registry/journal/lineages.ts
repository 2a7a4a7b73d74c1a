import type { Db } from '../../store/db/database.ts'
import type { ObjectName } from '../../store/journal/journal-object.ts'
import { parseObjectName } from '../../store/journal/journal-object.ts'
import type { JournalStore } from '../../store/journal/journal-store.ts'
import { readHead, replacedBy } from './head.ts'

/** The journals of a store, each with its objects by number. */
export async function readLineages(store: JournalStore): Promise<Map<string, ObjectName[]>> {
  const lineages = new Map<string, ObjectName[]>()
  for await (const name of store.list()) {
    const object = parseObjectName(name)
    if (!object) continue
    const objects = lineages.get(object.lineage)
    if (objects) objects.push(object)
    else lineages.set(object.lineage, [object])
  }
  for (const objects of lineages.values()) objects.sort((a, b) => a.sequence - b.sequence)
  return lineages
}

/** A journal out of which a database can be made. */
export const isComplete = (objects: readonly ObjectName[]) =>
  objects.some(({ kind }) => kind === 'end')

/**
 * Complete journals in the store that are of another database: somebody serves with an empty one
 * where the former was lost. Then nothing of the store may be taken for a leftover.
 */
export async function foreignLineages(db: Db, store: JournalStore): Promise<string[]> {
  const lineages = await readLineages(store)
  const head = await readHead(db.query)
  const own = head ? [head.lineage, ...replacedBy(head)] : []
  return [...lineages]
    .filter(([lineage, objects]) => !own.includes(lineage) && isComplete(objects))
    .map(([lineage]) => lineage)
}

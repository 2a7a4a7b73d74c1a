import type { JournalStore } from '../../store/journal/journal-store.ts'

/** Copies the journal. Its objects are written once and whole, so those that are there are right. */
export async function copyJournal(from: JournalStore, to: JournalStore): Promise<void> {
  const there = new Set<string>()
  for await (const name of to.list()) there.add(name)
  for await (const name of from.list()) {
    const bytes = there.has(name) ? undefined : await from.get(name)
    if (bytes) await to.put(name, new Uint8Array(bytes))
  }
}

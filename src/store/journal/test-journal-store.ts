import type { JournalStore } from './journal-store.ts'

/** A journal in memory, whose `put` a test may hold up or fail. */
export interface TestJournalStore extends JournalStore {
  readonly objects: Map<string, Uint8Array<ArrayBuffer>>
  /** Called before an object is stored. */
  beforePut: (name: string) => Promise<void>
}

export function createTestJournalStore(): TestJournalStore {
  const objects = new Map<string, Uint8Array<ArrayBuffer>>()
  const store: TestJournalStore = {
    objects,
    beforePut: async () => {},
    async put(name, bytes) {
      await store.beforePut(name)
      objects.set(name, bytes)
    },
    get: async (name) => objects.get(name),
    async *list() {
      yield* [...objects.keys()]
    },
    async remove(names) {
      for (const name of names) objects.delete(name)
    },
  }
  return store
}

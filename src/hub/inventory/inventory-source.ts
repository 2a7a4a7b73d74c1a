import type { Listed, ListedRepository } from '../../client/inventory.ts'
import type { RemoteRegistry } from '../../client/remote-registry.ts'
import type { Db } from '../../store/db/database.ts'
import type { RegistryRecord } from '../registries/record.ts'
import type { RepositoryOf } from './repository-rows.ts'
import { createRepositoryStore } from './repository-store.ts'
import { type RepositoryResult, syncRepository } from './sync-repository.ts'
import { noteListed, type SyncRow } from './sync-rows.ts'

const LIST_BATCH = 500

/** How a list of repositories was had. */
export interface ListingResult {
  /** Why it has gaps: what it lacks may be there. */
  problem?: string | undefined
  /** Why it is not by the registry's own API. */
  note?: string | undefined
}

/** What reads the images of one registry: this process, or a runner near it. */
export interface InventorySource {
  /** Notes every repository that the registry lists, by `noteListed`. */
  list(): Promise<ListingResult>
  /** Reads one and writes down what there is. */
  read(of: RepositoryOf): Promise<RepositoryResult>
}

/** Reads registries that this process cannot reach. @throws AppError unavailable */
export type ReadByRunner = (
  registry: RegistryRecord,
  sync: SyncRow,
  signal: AbortSignal,
) => InventorySource

/** Reads through a client of this process. */
export function createLocalSource(
  { db, registry }: { db: Db; registry: RemoteRegistry },
  { namespace }: Pick<RegistryRecord, 'namespace'>,
  sync: SyncRow,
  signal: AbortSignal,
): InventorySource {
  return {
    list: () =>
      listRepositories(registry, namespace, signal, (found) => noteListed(db, sync, found)),
    read: (of) =>
      syncRepository({ store: createRepositoryStore(db, of), registry }, of.repository, signal),
  }
}

/** Lists what can be listed, by the batch. */
export async function listRepositories(
  { inventory }: Pick<RemoteRegistry, 'inventory'>,
  namespace: string,
  signal: AbortSignal,
  note: (found: ListedRepository[]) => Promise<void>,
): Promise<ListingResult> {
  const within = namespace === '' ? {} : { namespace }
  const result: ListingResult = {}
  for await (const page of inventory.repositories({ ...within, signal })) {
    gather(result, page)
    const found = [...new Map(page.items.map((item) => [item.name, item])).values()].filter(
      ({ name }) => name !== '' && !name.includes('\0'),
    )
    for (let at = 0; at < found.length; at += LIST_BATCH) {
      await note(found.slice(at, at + LIST_BATCH))
    }
  }
  return result
}

function gather(result: ListingResult, { problem, note }: Listed<unknown>): void {
  result.problem ??= problem?.message
  result.note ??= note
}

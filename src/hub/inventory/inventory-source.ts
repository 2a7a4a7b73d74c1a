import type { RemoteRegistry } from '../../client/remote-registry.ts'
import type { Db } from '../../store/db/database.ts'
import type { RegistryRecord } from '../registries/record.ts'
import { type ListingResult, listRepositories } from './list-repositories.ts'
import type { RepositoryOf } from './repository-rows.ts'
import { createRepositoryStore } from './repository-store.ts'
import { type RepositoryResult, syncRepository } from './sync-repository.ts'
import { noteListed, type SyncRow } from './sync-rows.ts'

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

import type { Registry } from '../../oci/registry.ts'
import type { Db } from '../../store/db/database.ts'
import type { RegistryRecord } from '../registries/record.ts'
import type { RepositoryOf } from './repository-rows.ts'
import { createRepositoryStore } from './repository-store.ts'
import { type RepositoryResult, syncRepository } from './sync-repository.ts'
import { noteListed, type SyncRow } from './sync-rows.ts'

const LIST_BATCH = 500

/** What reads the images of one registry: this process, or a runner near it. */
export interface InventorySource {
  /** Notes every repository that the registry lists, by `noteListed`. */
  list(): Promise<void>
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
  { db, registry }: { db: Db; registry: Registry },
  { namespace }: Pick<RegistryRecord, 'namespace'>,
  sync: SyncRow,
  signal: AbortSignal,
): InventorySource {
  return {
    list: () =>
      listRepositories(registry, namespace, signal, (names) => noteListed(db, sync, names)),
    read: (of) =>
      syncRepository({ store: createRepositoryStore(db, of), registry }, of.repository, signal),
  }
}

/** Lists what can be listed, by the batch. */
export async function listRepositories(
  registry: Registry,
  namespace: string,
  signal: AbortSignal,
  note: (names: string[]) => Promise<void>,
): Promise<void> {
  const within = namespace === '' ? {} : { namespace }
  for await (const page of registry.listRepositories({ ...within, signal })) {
    const names = [...new Set(page)].filter((name) => name !== '' && !name.includes('\0'))
    for (let at = 0; at < names.length; at += LIST_BATCH) {
      await note(names.slice(at, at + LIST_BATCH))
    }
  }
}

import { type ClientMemory, createClientMemory } from '../client/client-memory.ts'
import type { ProviderContext } from '../client/provider.ts'
import { PROVIDERS } from '../client/providers/providers.ts'
import { createRemoteRegistry, type RemoteRegistry } from '../client/remote-registry.ts'
import type { Patience } from '../client/transport.ts'
import type { Clock } from '../lib/clock.ts'
import type { GuardedFetch } from '../lib/guarded-fetch.ts'
import type { Log } from '../lib/log.ts'
import type { RegistryRecord } from './registries/record.ts'
import type { Reachable, Registries } from './registries/registries.ts'

export interface Connection {
  registry: RegistryRecord
  remote: RemoteRegistry
}

/** Clients to the integrated registries; those of one process share logins, tokens and limits. */
export interface Connections {
  /** @throws AppError not_found, denied (only a runner can speak to it) */
  to(id: string, patience?: Partial<Patience>): Promise<Connection>
  /** To one that is at hand, perhaps not stored. */
  with(opened: Reachable, patience?: Partial<Patience>): RemoteRegistry
}

export function createConnections({
  registries,
  fetch,
  clock,
  log,
  userAgent,
  apiUrl,
  memory = createClientMemory({ clock }),
}: {
  registries: Pick<Registries, 'open'>
  fetch: GuardedFetch
  clock: Clock
  log: Log
  /** `Entrepot/1.2.3` */
  userAgent: string
  apiUrl?: ProviderContext['apiUrl']
  memory?: ClientMemory
}): Connections {
  function connect(
    { endpoint, privateHost }: Reachable,
    patience: Partial<Patience> = {},
  ): RemoteRegistry {
    return createRemoteRegistry({
      endpoint: privateHost === undefined ? endpoint : { ...endpoint, allowPrivate: [privateHost] },
      provider: PROVIDERS[endpoint.provider],
      fetch,
      clock,
      log,
      memory,
      patience,
      userAgent,
      ...(apiUrl ? { apiUrl } : {}),
    })
  }

  return {
    with: connect,
    async to(id, patience) {
      const opened = await registries.open(id)
      return { registry: opened.registry, remote: connect(opened, patience) }
    },
  }
}

import packageJson from '../../package.json' with { type: 'json' }
import type { Connections } from '../hub/connections.ts'
import type { Checks } from '../hub/health/checks.ts'
import type { ByRunner } from '../hub/runners/by-runner.ts'
import { systemClock } from '../lib/clock.ts'
import type { GuardedFetch } from '../lib/guarded-fetch.ts'
import type { ProcessContext } from '../lib/process.ts'
import type { Parts } from './parts.ts'

/** What other registries see in their logs. */
export const USER_AGENT = `Entrepot/${packageJson.version}`

export interface HubAccess {
  fetch: GuardedFetch
  connections: Connections
  checks: Checks
  byRunner: ByRunner
}

/** The way to other registries, loaded by the first who goes it; one for each process. */
export function createHubAccess(
  { db, registries }: Pick<Parts, 'db' | 'registries'>,
  { config, log }: Pick<ProcessContext, 'config' | 'log'>,
): () => Promise<HubAccess> {
  const clock = systemClock
  let loaded: Promise<HubAccess> | undefined

  async function load(): Promise<HubAccess> {
    const [
      { createConnections },
      { createGuardedFetch },
      { createChecks },
      { createByRunner },
      { createClientMemory },
      { createSharedPlaces },
    ] = await Promise.all([
      import('../hub/connections.ts'),
      import('../lib/guarded-fetch.ts'),
      import('../hub/health/checks.ts'),
      import('../hub/runners/by-runner.ts'),
      import('../client/client-memory.ts'),
      import('../hub/limits/shared-places.ts'),
    ])
    const fetch = createGuardedFetch({ allowedNetworks: config.hub.allowedNetworks, clock })
    const memory = createClientMemory({ clock, placesOf: createSharedPlaces({ db, clock }) })
    const connections = createConnections({
      ...{ registries, fetch, clock, log, memory },
      userAgent: USER_AGENT,
    })
    const byRunner = createByRunner({ db, clock })
    const checks = createChecks({
      db,
      clock,
      log,
      registries,
      connections,
      byRunner: byRunner.check,
    })
    return { fetch, connections, checks, byRunner }
  }

  return () => {
    loaded ??= load()
    return loaded
  }
}

import { bindFetch } from '../../client/endpoint-fetch.ts'
import type { Login } from '../../client/provider.ts'
import { PROVIDERS } from '../../client/providers/providers.ts'
import type { Clock } from '../../lib/clock.ts'
import type { GuardedFetch } from '../../lib/guarded-fetch.ts'
import type { OpenedRegistry } from '../registries/registries.ts'

/**
 * Turns the keys of a registry into a login that is made now: one out of a memory may be about to
 * end, and what is handed out should last.
 */
export function createRegistryLogin({
  fetch,
  clock,
  userAgent,
}: {
  fetch: GuardedFetch
  clock: Clock
  userAgent: string
}): (opened: OpenedRegistry) => Promise<Login | undefined> {
  return ({ endpoint, privateHost }) => {
    const reached = {
      ...endpoint,
      ...(privateHost === undefined ? {} : { allowPrivate: [privateHost] }),
    }
    return PROVIDERS[endpoint.provider].login({
      endpoint: reached,
      fetch: bindFetch(fetch, reached, userAgent),
      clock: { now: clock },
    })
  }
}

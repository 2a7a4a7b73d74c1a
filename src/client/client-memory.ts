import { createHash } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { systemClock } from '../lib/clock.ts'
import type { Challenge } from './challenge.ts'
import { createFreshCache, type FreshCache } from './fresh-cache.ts'
import { createPlaces, type Places } from './places.ts'
import type { Endpoint, Limits, Login } from './provider.ts'
import type { RateBudget } from './rate-limit.ts'
import { createThrottle, type Throttle } from './throttle.ts'
import { sleep as realSleep, type Sleep } from './waiting.ts'

/** A token for some scopes. */
export interface Token {
  text: string
}

/** What was seen in the answers of one registry. */
export interface Observed {
  budget?: RateBudget
  /** Milliseconds that the registry's clock is ahead of ours; headers know seconds only. */
  clockSkew?: number
}

/**
 * What clients to registries share within one process, so that asking for a registry twice means
 * neither two logins nor twice its limits.
 */
export interface ClientMemory {
  challenges: FreshCache<Challenge | undefined>
  logins: FreshCache<Login | undefined>
  tokens: FreshCache<Token>
  /** What one wanted to do → the scopes that the registry said are needed for it. */
  widened: Map<string, string[]>
  /** Repositories of a registry that are known to exist. */
  ensured: FreshCache<true>
  /** Whether a registry has the referrers API, as far as is known. */
  referrersApi: Map<string, { has: boolean; until: number }>
  /** Facts about a registry that seldom change, as its provider reads them. */
  provider: FreshCache<unknown>
  /** `pool` names the registry for all processes, where they share its limits. */
  throttleOf(key: string, pool: string, host: string, limits: Limits): Throttle
  observedOf(key: string): Observed
}

const MOST_REGISTRIES = 1000

export function createClientMemory({
  clock = systemClock,
  sleep = realSleep,
  placesOf = (_, count) => createPlaces(count),
}: {
  clock?: Clock
  sleep?: Sleep
  /** Places at a registry that other processes use too; without it each process has its own. */
  placesOf?: (pool: string, count: number) => Places
} = {}): ClientMemory {
  const throttles = new Map<string, Throttle>()
  const observed = new Map<string, Observed>()
  return {
    challenges: createFreshCache(clock),
    logins: createFreshCache(clock),
    tokens: createFreshCache(clock, 10_000),
    widened: new Map(),
    ensured: createFreshCache(clock, 10_000),
    referrersApi: new Map(),
    provider: createFreshCache(clock),
    throttleOf: (key, pool, host, limits) =>
      kept(throttles, key, () =>
        createThrottle({
          ...{ host, limits, clock, sleep },
          placesOf: (lane, count) => placesOf(`${pool} ${lane}`, count),
        }),
      ),
    observedOf: (key) => kept(observed, key, () => ({})),
  }
}

/** Names what a registry counts requests by: itself, and who asks. Kept in the database, unlike a key. */
export function poolKey({ provider, region, accessKey }: Endpoint, base: URL): string {
  return createHash('sha256')
    .update(JSON.stringify([base.href, provider, region ?? null, accessKey]))
    .digest('base64url')
}

/** Names an endpoint and its credential without telling the secret. */
export function endpointKey(endpoint: Endpoint, base: URL): string {
  const { provider, region, accessKey, secretKey, verifyTls, caCertificate } = endpoint
  return createHash('sha256')
    .update(
      JSON.stringify([
        base.href,
        provider,
        region ?? null,
        accessKey,
        secretKey,
        verifyTls,
        caCertificate ?? null,
      ]),
    )
    .digest('base64url')
}

function kept<T>(map: Map<string, T>, key: string, make: () => T): T {
  const found = map.get(key)
  if (found !== undefined) return found
  const [oldest] = map.keys()
  if (map.size >= MOST_REGISTRIES && oldest !== undefined) map.delete(oldest)
  const made = make()
  map.set(key, made)
  return made
}

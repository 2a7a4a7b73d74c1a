import { createHmac, randomBytes } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { GRANT_LIFETIME_MS } from './authorize.ts'
import type { Principal } from './principal.ts'

const MAX_REMEMBERED = 10_000

export interface LoginMemory {
  /** Whoever `work` proved by `secret` lately; otherwise runs `work`. Failures are not kept. */
  once(secret: string, work: () => Promise<Principal>): Promise<Principal>
  forget(account: number): void
}

/**
 * Good logins of the last five seconds, so that a client that sends Basic with every request pays
 * for one argon2 only. Kept under a hash with a key that dies with the process. The same login
 * sent many times at once is proven once.
 */
export function createLoginMemory(clock: Clock): LoginMemory {
  const key = randomBytes(32)
  const good = new Map<string, { principal: Principal; until: number }>()
  const running = new Map<string, Promise<Principal>>()

  async function prove(hash: string, work: () => Promise<Principal>): Promise<Principal> {
    const startedAt = clock()
    const principal = await work()
    if (good.size >= MAX_REMEMBERED) good.clear()
    const expiry = principal.login?.expiresAt ?? Number.POSITIVE_INFINITY
    good.set(hash, { principal, until: Math.min(startedAt + GRANT_LIFETIME_MS, expiry) })
    return principal
  }

  return {
    async once(secret, work) {
      const hash = createHmac('sha256', key).update(secret).digest('base64')
      const known = good.get(hash)
      if (known && known.until > clock()) return known.principal
      const inFlight = running.get(hash)
      if (inFlight) return inFlight
      const proof = prove(hash, work).finally(() => running.delete(hash))
      running.set(hash, proof)
      return proof
    },
    forget(account) {
      for (const [hash, { principal }] of good) {
        if (principal.account === account) good.delete(hash)
      }
    },
  }
}

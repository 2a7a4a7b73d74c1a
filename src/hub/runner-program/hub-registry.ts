import type { ClientMemory } from '../../client/client-memory.ts'
import { native } from '../../client/providers/native.ts'
import { createRemoteRegistry, type RemoteRegistry } from '../../client/remote-registry.ts'
import type { Clock } from '../../lib/clock.ts'
import { createGuardedFetch, type GuardedFetch } from '../../lib/guarded-fetch.ts'

/** The operator gave the address of the hub, so it may be anywhere. */
const ANYWHERE = ['0.0.0.0/0', '::/0']

/**
 * The hub's own `/v2`. Its requests carry the token of the copy that they are for; where it sends one
 * elsewhere, as to a bucket, they carry nothing, and go where requests of the runner may go.
 */
export function createHubRegistry({
  url,
  caCertificate,
  token,
  fetch,
  memory,
  clock,
  userAgent,
  onTrouble,
}: {
  url: string
  caCertificate: string | undefined
  token: () => Promise<string>
  fetch: GuardedFetch
  memory: ClientMemory
  clock: Clock
  userAgent: string
  /** It did not answer, or could not now. */
  onTrouble: () => void
}): RemoteRegistry {
  const { origin } = new URL(url)
  const fetchHub = createGuardedFetch({ allowedNetworks: ANYWHERE, clock })
  return createRemoteRegistry({
    endpoint: { provider: 'native', address: url, accessKey: '', secretKey: '', verifyTls: true },
    provider: native,
    async fetch(asked, options = {}) {
      if (new URL(asked).origin !== origin) return fetch(asked, options)
      const authorization = `Bearer ${await token()}`
      try {
        const answer = await fetchHub(asked, {
          ...options,
          headers: { ...options.headers, authorization },
          ...(caCertificate === undefined ? {} : { caCertificate }),
        })
        if (answer.status >= 500) onTrouble()
        return answer
      } catch (error) {
        onTrouble()
        throw error
      }
    },
    clock,
    memory,
    userAgent,
  })
}

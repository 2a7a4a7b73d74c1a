import { stringify } from 'yaml'
import type { Login } from '../../client/provider.ts'
import type { RefreshSchedule } from './refresh-schedule.ts'

/*
 * kubelet asks a program on the node for the login each time that it is about to pull (KEP-2133), so
 * no Secret has to be kept up. The program is `entrepot` itself.
 */

export const CREDENTIAL_API = 'credentialprovider.kubelet.k8s.io/v1'

/** What kubelet reads from the program. */
export interface CredentialResponse {
  apiVersion: typeof CREDENTIAL_API
  kind: 'CredentialProviderResponse'
  cacheKeyType: 'Registry'
  cacheDuration: string
  auth: Record<string, { username: string; password: string }>
}

/** Fits no longer than the login; one without an end is asked for again after this time. */
const MOST_CACHED_MS = 12 * 3_600_000

/**
 * `CredentialProviderConfig` for the kubelet.
 * @param args of `entrepot`; none of them is secret
 */
export function credentialProviderConfig(use: {
  entrepotUrl: string
  host: string
  args: string[]
  schedule: RefreshSchedule
}): string {
  return stringify(
    {
      apiVersion: 'kubelet.config.k8s.io/v1',
      kind: 'CredentialProviderConfig',
      providers: [
        {
          // The name of the program in the folder of --image-credential-provider-bin-dir.
          name: 'entrepot',
          matchImages: [use.host],
          defaultCacheDuration: goDuration(use.schedule.everyMs),
          apiVersion: CREDENTIAL_API,
          args: use.args,
          env: [
            { name: 'ENTREPOT_URL', value: use.entrepotUrl },
            { name: 'ENTREPOT_TOKEN_FILE', value: '/etc/entrepot/token' },
          ],
        },
      ],
    },
    { lineWidth: 0 },
  )
}

/**
 * The answer for one registry.
 * @param now epoch milliseconds
 */
export function credentialResponse(
  host: string,
  login: Pick<Login, 'username' | 'password'> & { expiresAt?: number | null | undefined },
  now: number,
): CredentialResponse {
  const { username, password, expiresAt } = login
  const left = expiresAt == null ? MOST_CACHED_MS : Math.max(0, (expiresAt - now) / 2)
  return {
    apiVersion: CREDENTIAL_API,
    kind: 'CredentialProviderResponse',
    cacheKeyType: 'Registry',
    cacheDuration: goDuration(Math.min(left, MOST_CACHED_MS)),
    auth: { [host]: { username, password } },
  }
}

/** As Go reads durations: `1h30m0s`. */
function goDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  return `${Math.floor(seconds / 3600)}h${Math.floor((seconds % 3600) / 60)}m${seconds % 60}s`
}

import type { Provider } from '../provider.ts'
import { ownAddress, storedLogin } from './endpoint.ts'

/** Anything that speaks the distribution specification: the keys as they are, and the catalog. */
export const native: Provider = {
  name: 'native',
  limits: { concurrency: 8, pageSize: 1000 },
  registryUrl: ownAddress,
  login: async ({ endpoint }) => storedLogin(endpoint),
}

/**
 * Sonatype Nexus: one port, subdomain or path for each repository, so the catalog of the address is
 * that of the repository. Hosted repositories exist or not; nobody but its administrators makes one.
 */
export const nexus: Provider = { ...native, name: 'nexus' }

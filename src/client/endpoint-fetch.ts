import type { GuardedFetch } from '../lib/guarded-fetch.ts'
import type { Endpoint } from './provider.ts'
import { isSameSite } from './trusted-realm.ts'

/**
 * The guarded fetch with what the record of a registry says: its authority and a switched-off
 * verification hold for hosts of the registry's own domain, others must have certificates that
 * the system trusts. Allowed private addresses are exact and so hold for every request.
 */
export function bindFetch(
  fetch: GuardedFetch,
  endpoint: Endpoint,
  userAgent: string,
): GuardedFetch {
  const { hostname } = new URL(endpoint.address)
  return (url, options = {}) => {
    const isOwn = URL.canParse(url) && isSameSite(new URL(url).hostname, hostname)
    return fetch(url, {
      ...options,
      headers: { 'user-agent': userAgent, ...options.headers },
      allowPrivate: endpoint.allowPrivate,
      ...(isOwn ? { caCertificate: endpoint.caCertificate, verifyTls: endpoint.verifyTls } : {}),
    })
  }
}

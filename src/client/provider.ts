import type { GuardedFetch } from '../lib/guarded-fetch.ts'
import type { ProviderInventory } from './inventory.ts'

/*
 * What differs between the registries of this world: how one logs in, where repositories are listed
 * when `/v2/_catalog` is closed, what must exist before a push, and what they put up with.
 */

export const PROVIDER_NAMES = [
  'acr',
  'acr-enterprise',
  'tcr',
  'tcr-enterprise',
  'swr',
  'ecr',
  'gar',
  'dockerhub',
  'harbor',
  'nexus',
  'jfrog',
  'native',
  'azure',
  'quay',
  'ghcr',
  'gitlab',
] as const

export type ProviderName = (typeof PROVIDER_NAMES)[number]

/** Where a registry is and as whom one comes; opened, so it never leaves the process. */
export interface Endpoint {
  provider: ProviderName
  /** With scheme, without a slash at the end: `https://harbor.example.com:8443`. */
  address: string
  region?: string | undefined
  namespace?: string | undefined
  accessKey: string
  secretKey: string
  /** False: the certificate is not looked at. */
  verifyTls: boolean
  /** PEM; when given, the only roots that are trusted. */
  caCertificate?: string | undefined
  /** `host:port` that may be asked although their addresses are private ones. */
  allowPrivate?: readonly string[] | undefined
  /** Hosts of token servers that get the login too, besides those known to belong to it. */
  trustedRealms?: readonly string[] | undefined
  /** Which generation of the provider's API is meant, where there are two (Harbor). */
  apiVersion?: 'V1' | 'V2' | undefined
}

/** What `docker login` would be given. */
export interface Login {
  username: string
  password: string
  /** Epoch milliseconds; absent: as long as the key lives. */
  expiresAt?: number
  /** For the token server instead of name and password (Azure's AAD exchange). */
  refreshToken?: string
}

/** What a registry puts up with, as far as is known; the client stays below it. */
export interface Limits {
  /** Requests at once. */
  concurrency: number
  /** Requests per second; absent: only what its answers say. */
  perSecond?: number
  /** Most entries of one page of tags or repositories. */
  pageSize: number
  /** Components of a repository's name at most; absent: any. */
  depth?: number
}

/** One page of the provider's own listing; `next` is opaque and absent on the last page. */
export interface RepositoryPage {
  repositories: string[]
  next?: string
}

export interface ProviderContext {
  endpoint: Endpoint
  fetch: GuardedFetch
  clock: { now(): number }
  signal?: AbortSignal | undefined
  /**
   * For a vendor's API on other hosts than the registry's: its certificate is always verified, with
   * the system's roots, whatever was set for the registry. Absent: `fetch`.
   */
  apiFetch?: GuardedFetch | undefined
  /**
   * What the API of this endpoint said, for all clients of the process until its time ends. Absent:
   * it is asked each time.
   */
  remember?: (<T>(what: string, load: () => Promise<T>) => Promise<T>) | undefined
  /** Where a vendor's API is, instead of at its public address: private clouds and tests. */
  apiUrl?: ((service: ApiService) => string | undefined) | undefined
}

/** Vendors' APIs that are not at the registry's address; `registry` is the registry itself. */
export type ApiService =
  | 'registry'
  | 'acr'
  | 'tcr'
  | 'swr'
  | 'ecr'
  | 'ecr-public'
  | 'google-oauth'
  | 'google-artifacts'
  | 'dockerhub'
  | 'github'

export interface Provider {
  name: ProviderName
  limits: Limits
  /** Chunked uploads in pieces of this many bytes; absent: one request for the whole blob. */
  chunkSize?: number
  /** The whole blob goes in one PATCH and the PUT after it is empty (Artifactory, RTFACT-19344). */
  uploadByPatch?: true
  /** The base of `/v2/`, where it is not the address itself: Docker Hub, path prefixes. */
  registryUrl(endpoint: Endpoint): string
  /** Turns the stored keys into a login; undefined: anonymous. */
  login(context: ProviderContext): Promise<Login | undefined>
  /** Absent, or undefined as the answer for this endpoint: `/v2/_catalog` is the way. */
  listRepositories?(
    context: ProviderContext,
    options: { namespace?: string | undefined; next?: string | undefined },
  ): Promise<RepositoryPage | undefined>
  /** Lists with digests, times and changes; absent: `/v2` is the way. */
  inventory?: ProviderInventory
  /** Makes what must exist before a push to this repository; absent: nothing must. */
  ensureRepository?(context: ProviderContext, repository: string): Promise<void>
}

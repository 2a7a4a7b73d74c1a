import { z } from 'zod'
import type { Endpoint, ProviderContext } from '../provider.ts'
import { type ApiCall, callJson } from './api-call.ts'
import { basicAuthorization, hostnameOf, hostOf, ownAddress, storedLogin } from './endpoint.ts'

export const PAGE_SIZE = 1000
const CONTAINER_TYPES = ['docker', 'oci', 'helmoci']

const Keys = z.array(
  z.object({
    key: z.string(),
    type: z.string().nullish(),
    packageType: z.string().nullish(),
  }),
)
const Catalog = z.object({ repositories: z.array(z.string()).nullish() })

/** A repository of Artifactory, which holds repositories of images. */
export interface RepositoryKey {
  key: string
  /** `docker` and its kin, as the paths of the API have it. */
  type: string
  /** Its images are in it, and not somewhere else or nowhere yet. */
  isLocal: boolean
}

/** Subdomain routing: then the key is no part of an image's name. */
export function isKeyOfHost(endpoint: Endpoint, key: string): boolean {
  const [label = ''] = hostnameOf(endpoint).split('.')
  return label === key || label.endsWith(`-${key}`)
}

export async function readKeys(context: ProviderContext): Promise<RepositoryKey[]> {
  const call = callOf(context, 'list repositories', '/artifactory/api/repositories')
  const { value } = await callJson(context, call, Keys)
  return value
    .map(({ key, type, packageType }) => ({
      key,
      type: packageType?.toLowerCase() ?? '',
      isLocal: ['local', 'federated'].includes(type?.toLowerCase() ?? ''),
    }))
    .filter(({ type }) => CONTAINER_TYPES.includes(type))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
}

export async function readCatalog(
  context: ProviderContext,
  { key, type }: Pick<RepositoryKey, 'key' | 'type'>,
  last: string | undefined,
): Promise<string[]> {
  const query = new URLSearchParams({ n: `${PAGE_SIZE}`, ...(last === undefined ? {} : { last }) })
  const path = `/artifactory/api/${type}/${encodeURIComponent(key)}/v2/_catalog?${query}`
  const { value } = await callJson(context, callOf(context, 'list images', path), Catalog)
  return value.repositories ?? []
}

export function callOf(
  { endpoint }: ProviderContext,
  purpose: string,
  path: string,
  more: Partial<ApiCall> = {},
): ApiCall {
  const login = storedLogin(endpoint)
  // The API is beside the registry, also where the address names `/artifactory` itself.
  const base = ownAddress(endpoint).replace(/\/artifactory(\/.*)?$/, '')
  return {
    registry: `Artifactory at ${hostOf(endpoint)}`,
    purpose,
    url: `${base}${path}`,
    ...more,
    headers: { ...more.headers, ...(login ? { authorization: basicAuthorization(login) } : {}) },
  }
}

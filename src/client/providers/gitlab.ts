import { z } from 'zod'
import { isAppError } from '../../lib/errors.ts'
import { chooseChallenge, parseChallenges } from '../challenge.ts'
import type { Provider, ProviderContext } from '../provider.ts'
import { remoteFault } from '../remote-error.ts'
import { isTrustedRealm } from '../trusted-realm.ts'
import { type ApiCall, callApi, callJson } from './api-call.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { hostOf, isWithin, namespaceOf, secureAddress, storedLogin } from './endpoint.ts'

const PAGE_SIZE = 100
/** Each is asked for its repositories. */
const PROJECTS_AT_ONCE = 20
/** Of one project; what has more is cut there. */
const MOST_PAGES = 50

const Repositories = z.array(z.object({ path: z.string() }))
const Projects = z.array(
  z.object({ id: z.number().int(), container_registry_access_level: z.string().nullish() }),
)
const Place = z.object({
  page: z.number().int().positive(),
  of: z.enum(['groups', 'projects', 'membership']),
})
type Place = z.infer<typeof Place>

/** GitLab's registry; its API is at GitLab itself, which is where the registry's tokens come from. */
export const gitlab: Provider = {
  name: 'gitlab',
  limits: { concurrency: 6, pageSize: PAGE_SIZE },
  registryUrl: secureAddress,
  login: async ({ endpoint }) => storedLogin(endpoint),

  async listRepositories(context, options) {
    const { endpoint } = context
    if (endpoint.secretKey === '') {
      const message = `GitLab lists repositories only for an access token with read_api, and none is stored for ${hostOf(endpoint)}`
      throw remoteFault('unsupported', message)
    }
    const namespace = namespaceOf(endpoint, options.namespace)
    const api = await apiAddress(context)
    const place = decodeCursor(Place, options.next)
    if (namespace === undefined) return listMembership(context, api, place?.page ?? 1)
    if (place) return listOf(context, api, namespace, place)
    try {
      return await listOf(context, api, namespace, { page: 1, of: 'groups' })
    } catch (error) {
      // Not a group: then a project.
      if (!isAppError(error, 'not_found')) throw error
      return listOf(context, api, namespace, { page: 1, of: 'projects' })
    }
  },
}

async function listOf(context: ProviderContext, api: string, namespace: string, place: Place) {
  const path = `/${place.of}/${encodeURIComponent(namespace)}/registry/repositories`
  const { names, hasMore } = await readRepositories(context, api, path, place.page)
  return {
    // A project's own image has the project's path.
    repositories: names.filter((name) => name === namespace || isWithin(name, namespace)),
    ...(hasMore ? { next: encodeCursor({ ...place, page: place.page + 1 }) } : {}),
  }
}

/** Without a namespace: the projects that the token is a member of. */
async function listMembership(context: ProviderContext, api: string, page: number) {
  const query = `membership=true&per_page=${PROJECTS_AT_ONCE}&page=${page}&order_by=id&sort=asc`
  const call = callOf(context, api, 'list projects', `/projects?${query}`)
  const { value, headers } = await callJson(context, call, Projects)
  const repositories: string[] = []
  for (const { id, container_registry_access_level: level } of value) {
    if (level === 'disabled') continue
    repositories.push(...(await readProject(context, api, id)))
  }
  const hasMore = hasNextPage(headers) && value.length > 0
  const next = { page: page + 1, of: 'membership' }
  return { repositories, ...(hasMore ? { next: encodeCursor(next) } : {}) }
}

async function readProject(context: ProviderContext, api: string, id: number): Promise<string[]> {
  const all: string[] = []
  for (let page = 1; page <= MOST_PAGES; page += 1) {
    try {
      const path = `/projects/${id}/registry/repositories`
      const { names, hasMore } = await readRepositories(context, api, path, page)
      all.push(...names)
      if (!hasMore) break
    } catch (error) {
      // The registry is off in this project, or not for this member.
      if (isAppError(error, 'not_found', 'remote_denied')) break
      throw error
    }
  }
  return all
}

async function readRepositories(context: ProviderContext, api: string, path: string, page: number) {
  const query = `per_page=${PAGE_SIZE}&page=${page}`
  const call = callOf(context, api, 'list repositories', `${path}?${query}`)
  const { value, headers } = await callJson(context, call, Repositories)
  return {
    names: value.map(({ path }) => path),
    hasMore: hasNextPage(headers) && value.length > 0,
  }
}

function hasNextPage(headers: Headers): boolean {
  return (headers.get('x-next-page') ?? '') !== ''
}

/**
 * The token goes only to a host that belongs to the registry: whoever answers for the registry names
 * the realm, but shall not name any host of the world.
 */
async function apiAddress(context: ProviderContext): Promise<string> {
  const { endpoint } = context
  const registry = new URL(context.apiUrl?.('registry') ?? secureAddress(endpoint))
  if (registry.hostname === 'registry.gitlab.com') return 'https://gitlab.com/api/v4'
  const { headers } = await callApi(context, {
    registry: `the registry at ${hostOf(endpoint)}`,
    purpose: 'tell its challenge',
    url: `${registry.href.replace(/\/+$/, '')}/v2/`,
  })
  const challenges = parseChallenges(headers.get('www-authenticate'))
  const realm = chooseChallenge(challenges)?.parameters.realm ?? ''
  if (URL.canParse(realm)) {
    const url = new URL(realm)
    // GitLab may be below a path: `https://example.com/gitlab/jwt/auth`.
    const base = url.origin + url.pathname.replace(/\/jwt\/auth$/, '')
    if (isTrustedRealm(url, registry, endpoint.trustedRealms)) return `${base}/api/v4`
  }
  const message = `the registry at ${hostOf(endpoint)} does not name a GitLab of its own domain as the one that issues its tokens, so the token is not sent there; check the address`
  throw remoteFault('realm', message)
}

function callOf(context: ProviderContext, api: string, purpose: string, path: string): ApiCall {
  return {
    registry: `GitLab at ${new URL(api).host}`,
    purpose,
    url: `${api}${path}`,
    headers: { 'private-token': context.endpoint.secretKey },
    advice:
      'use a personal, group or project access token with read_api; deploy tokens cannot list',
  }
}

import { z } from 'zod'
import { AppError, isAppError } from '../../lib/errors.ts'
import type { Provider, ProviderContext } from '../provider.ts'
import { remoteFault } from '../remote-error.ts'
import { type ApiCall, callJson } from './api-call.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { cloudAddress, hostnameOf, isWithin, namespaceOf, storedLogin } from './endpoint.ts'

const PAGE_SIZE = 100

const Packages = z.array(z.object({ name: z.string(), owner: z.object({ login: z.string() }) }))
const Place = z.object({ page: z.number().int().positive(), of: z.enum(['orgs', 'users']) })
type Place = z.infer<typeof Place>

/** GitHub's packages: ghcr.io, and `containers.<host>` of an Enterprise Server. */
export const ghcr: Provider = {
  name: 'ghcr',
  limits: { concurrency: 6, pageSize: PAGE_SIZE },
  registryUrl: cloudAddress,
  // A classic personal access token; the user is not looked at.
  login: async ({ endpoint }) => storedLogin(endpoint),

  async listRepositories(context, options) {
    const { endpoint } = context
    if (endpoint.secretKey === '') {
      const message =
        'GitHub lists packages only for a token: store a classic personal access token with read:packages'
      throw remoteFault('unsupported', message)
    }
    const namespace = namespaceOf(endpoint, options.namespace) ?? endpoint.accessKey
    const owner = namespace.split('/')[0] ?? ''
    if (owner === '') {
      const message =
        'GitHub lists packages of one owner: give a user or an organisation as the namespace'
      throw new AppError('invalid_input', message, { field: 'namespace' })
    }
    const place = decodeCursor(Place, options.next)
    if (place) return listOf(context, owner, namespace, place)
    try {
      return await listOf(context, owner, namespace, { page: 1, of: 'orgs' })
    } catch (error) {
      // Not an organisation: then a user.
      if (!isAppError(error, 'not_found')) throw error
      return listOf(context, owner, namespace, { page: 1, of: 'users' })
    }
  },
}

async function listOf(context: ProviderContext, owner: string, namespace: string, place: Place) {
  const query = `package_type=container&per_page=${PAGE_SIZE}&page=${place.page}`
  const path = `/${place.of}/${encodeURIComponent(owner)}/packages?${query}`
  const call: ApiCall = {
    registry: `GitHub at ${hostnameOf(context.endpoint)}`,
    purpose: 'list packages',
    url: `${apiAddress(context)}${path}`,
    headers: {
      authorization: `Bearer ${context.endpoint.secretKey}`,
      accept: 'application/vnd.github+json',
      'x-github-api-version': '2022-11-28',
    },
    isVendorApi: true,
    advice: 'use a classic personal access token with read:packages',
    // The limit of requests is a 403 too.
    readRefusal: (body) => {
      const message = z.object({ message: z.string() }).safeParse(body).data?.message
      if (message === undefined || !/rate limit/i.test(message)) return undefined
      return { code: '403', message, kind: 'throttled' }
    },
  }
  const { value, headers } = await callJson(context, call, Packages)
  const names = value.map(({ name, owner }) => `${owner.login}/${name}`.toLowerCase())
  const hasMore = /rel="?next"?/.test(headers.get('link') ?? '')
  return {
    repositories: names.filter((name) => isWithin(name, namespace.toLowerCase())),
    ...(hasMore && names.length > 0
      ? { next: encodeCursor({ ...place, page: place.page + 1 }) }
      : {}),
  }
}

function apiAddress(context: ProviderContext): string {
  const given = context.apiUrl?.('github')
  if (given !== undefined) return given
  const server = /^containers\.(.+)$/.exec(hostnameOf(context.endpoint))?.[1]
  return server === undefined ? 'https://api.github.com' : `https://${server}/api/v3`
}

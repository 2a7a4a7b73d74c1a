import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import type { Endpoint, Provider, ProviderContext } from '../provider.ts'
import { type ApiCall, callApi, callJson, refusalOf } from './api-call.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import {
  hostOf,
  isWithin,
  namespaceOf,
  secureAddress,
  splitRepository,
  storedLogin,
} from './endpoint.ts'

/** The user of a docker login with an application token, which the API takes too. */
const TOKEN_USER = '$oauthtoken'

const Repositories = z.object({
  repositories: z.array(z.object({ namespace: z.string(), name: z.string() })),
  next_page: z.string().nullish(),
})
const Place = z.object({ page: z.string() })

/** quay.io and Red Hat Quay. Robots may use the registry only; an application token the API as well. */
export const quay: Provider = {
  name: 'quay',
  // More than 100 tags at once are refused.
  limits: { concurrency: 6, pageSize: 100 },
  registryUrl: secureAddress,
  login: async ({ endpoint }) => storedLogin(endpoint),

  async listRepositories(context, options) {
    const namespace = namespaceOf(context.endpoint, options.namespace)
    if (!hasApiToken(context.endpoint)) return undefined
    if (namespace === undefined) {
      const message = `Quay at ${hostOf(context.endpoint)} lists repositories of one organisation: give a namespace`
      throw new AppError('invalid_input', message, { field: 'namespace' })
    }
    const place = decodeCursor(Place, options.next)
    const query = new URLSearchParams({ namespace: namespace.split('/')[0] ?? '' })
    if (place) query.set('next_page', place.page)
    const call = callOf(context, 'list repositories', `/repository?${query}`)
    const { value } = await callJson(context, call, Repositories)
    const names = value.repositories.map(({ namespace, name }) => `${namespace}/${name}`)
    return {
      repositories: names.filter((name) => isWithin(name, namespace)),
      ...(value.next_page ? { next: encodeCursor({ page: value.next_page }) } : {}),
    }
  },

  async ensureRepository(context, repository) {
    // A push makes the repository where its account may; with an API token it is made as private.
    if (!hasApiToken(context.endpoint)) return
    const { namespace, name } = splitRepository(repository)
    const path = `/repository/${encodeURIComponent(namespace)}/${name.split('/').map(encodeURIComponent).join('/')}`
    const look = callOf(context, 'look for a repository', path)
    const seen = await callApi(context, look)
    if (seen.status !== 404) return
    const create: ApiCall = {
      ...callOf(context, `create the repository "${repository}"`, '/repository'),
      method: 'POST',
      body: JSON.stringify({
        repo_kind: 'image',
        namespace,
        repository: name,
        visibility: 'private',
        description: '',
      }),
      advice: `create the organisation "${namespace}" in Quay, and let the token create repositories in it`,
    }
    create.headers = { ...create.headers, 'content-type': 'application/json' }
    const answer = await callApi(context, create)
    if (answer.status >= 200 && answer.status <= 299) return
    // "Repository already exists" is a 400.
    if ((await callApi(context, look)).status === 200) return
    throw refusalOf(context, create, answer)
  },
}

function hasApiToken({ accessKey }: Endpoint): boolean {
  return accessKey === TOKEN_USER
}

function callOf(context: ProviderContext, purpose: string, path: string): ApiCall {
  const { endpoint, apiUrl } = context
  const base = apiUrl?.('registry') ?? secureAddress(endpoint)
  return {
    registry: `Quay at ${hostOf(endpoint)}`,
    purpose,
    url: `${base}/api/v1${path}`,
    headers: { authorization: `Bearer ${endpoint.secretKey}` },
    advice: 'check the application token and its permissions',
  }
}

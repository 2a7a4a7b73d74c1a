import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import type { Endpoint, Login, Provider, ProviderContext } from '../provider.ts'
import { type ApiCall, callJson, isStatus } from './api-call.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { cloudAddress, hostnameOf, namespaceOf, storedLogin } from './endpoint.ts'
import { createTokenMemory } from './token-memory.ts'

const PAGE_SIZE = 100
/** Of the API's tokens; they say so themselves, but in no documented place. */
const TOKEN_LIFE_MS = 10 * 60_000
const HUB_HOSTS = [
  'docker.io',
  'index.docker.io',
  'registry-1.docker.io',
  'registry.docker.io',
  'hub.docker.com',
  'registry.hub.docker.com',
]

const Token = z.object({ access_token: z.string().min(1) })
const Repositories = z.object({
  next: z.string().nullish(),
  results: z.array(z.object({ name: z.string(), namespace: z.string() })),
})
const Place = z.object({ page: z.number().int().positive() })

const tokens = createTokenMemory<string>()

export const dockerhub: Provider = {
  name: 'dockerhub',
  limits: { concurrency: 4, pageSize: PAGE_SIZE, depth: 2 },
  registryUrl,
  // A personal or organisation access token stands where the password would.
  login: async ({ endpoint }) => storedLogin(endpoint),

  async listRepositories(context, options) {
    const { endpoint } = context
    if (!isHub(endpoint)) return undefined
    const namespace = namespaceOf(endpoint, options.namespace) ?? endpoint.accessKey
    if (namespace === '') {
      const message = 'Docker Hub lists repositories only of one organisation: give a namespace'
      throw new AppError('invalid_input', message, { field: 'namespace' })
    }
    const { page } = decodeCursor(Place, options.next) ?? { page: 1 }
    const path = `/v2/namespaces/${encodeURIComponent(namespace)}/repositories?page=${page}&page_size=${PAGE_SIZE}`
    const value = await callWithToken(context, callOf(context, 'list repositories', path))
    return {
      repositories: value.results.map(({ namespace, name }) => `${namespace}/${name}`),
      ...(value.next ? { next: encodeCursor({ page: page + 1 }) } : {}),
    }
  },
}

/** Every name of Docker Hub means its registry; an own mirror stays what it is. */
function registryUrl(endpoint: Endpoint): string {
  return isHub(endpoint) ? 'https://registry-1.docker.io' : cloudAddress(endpoint)
}

function isHub(endpoint: Endpoint): boolean {
  return HUB_HOSTS.includes(hostnameOf(endpoint))
}

/** Once more with a new token, when the one that was kept is refused. */
async function callWithToken(context: ProviderContext, call: ApiCall) {
  const login = storedLogin(context.endpoint)
  const callWith = async (token: string | undefined) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    return (await callJson(context, { ...call, headers }, Repositories)).value
  }
  const kept = await apiToken(context)
  try {
    return await callWith(kept)
  } catch (error) {
    if (!login || !isStatus(error, 401)) throw error
    tokens.forget(credentialOf(context, login))
    return callWith(await apiToken(context))
  }
}

/** undefined: anonymous, who sees public repositories. */
async function apiToken(context: ProviderContext): Promise<string | undefined> {
  const login = storedLogin(context.endpoint)
  if (!login) return undefined
  const call: ApiCall = {
    ...callOf(context, 'log in', '/v2/auth/token'),
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ identifier: login.username, secret: login.password }),
    advice: 'check the user and its access token (hub.docker.com, Account settings)',
  }
  const now = context.clock.now()
  return tokens.remember(credentialOf(context, login), now, async () => {
    const { value } = await callJson(context, call, Token)
    return { value: value.access_token, expiresAt: now + TOKEN_LIFE_MS }
  })
}

function credentialOf(context: ProviderContext, login: Login): string[] {
  return [apiAddress(context), login.username, login.password]
}

function apiAddress(context: ProviderContext): string {
  return context.apiUrl?.('dockerhub') ?? 'https://hub.docker.com'
}

function callOf(context: ProviderContext, purpose: string, path: string): ApiCall {
  const url = `${apiAddress(context)}${path}`
  return { registry: 'Docker Hub', purpose, url, isVendorApi: true }
}

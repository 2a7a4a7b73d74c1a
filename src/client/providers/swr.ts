import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { AppError, isAppError } from '../../lib/errors.ts'
import { signRequest } from '../../lib/huawei-signature.ts'
import type { Endpoint, Login, Provider, ProviderContext } from '../provider.ts'
import { remoteFault } from '../remote-error.ts'
import { type ApiCall, callApi, callJson, isRefusal, refusalOf, type Said } from './api-call.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import {
  cloudAddress,
  hostnameOf,
  hostOf,
  isWithin,
  namespaceOf,
  splitRepository,
  storedLogin,
} from './endpoint.ts'

/** Up to 1,000 are given out; without a limit, 100. */
const PAGE_SIZE = 1000

const Repositories = z.array(z.object({ name: z.string(), namespace: z.string() }))
const Organisations = z.object({ namespaces: z.array(z.object({ name: z.string() })).nullish() })
const Place = z.object({ offset: z.number().int().nonnegative() })
const Refusal = z.union([
  z.object({ error_code: z.string(), error_msg: z.string() }),
  z.object({
    errors: z.array(z.object({ errorCode: z.string(), errorMessage: z.string() })).min(1),
  }),
])

export const swr: Provider = {
  name: 'swr',
  limits: { concurrency: 4, perSecond: 10, pageSize: 100 },
  registryUrl: cloudAddress,
  login: async ({ endpoint }) => {
    const stored = storedLogin(endpoint)
    return stored && !isDockerLogin(endpoint) ? longTermLogin(endpoint) : stored
  },

  async listRepositories(context, options) {
    const { endpoint } = context
    if (isDockerLogin(endpoint)) {
      const message =
        'Huawei SWR lists repositories only for an access key (AK and SK), not for a docker login; store the AK and SK instead'
      throw remoteFault('unsupported', message)
    }
    const namespace = namespaceOf(endpoint, options.namespace)
    const { offset } = decodeCursor(Place, options.next) ?? { offset: 0 }
    const organisation = namespace?.split('/')[0]
    const query = new URLSearchParams({ limit: `${PAGE_SIZE}`, offset: `${offset}` })
    if (organisation !== undefined) query.set('namespace', organisation)
    const call = signedCall(context, 'list repositories', 'GET', `/v2/manage/repos?${query}`)
    const { value, headers } = await callJson(context, call, Repositories.nullable())
    const repositories = value ?? []
    // "0-100/1234": start, count, total.
    const total = /\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1]
    const end = offset + repositories.length
    const hasMore = total === undefined ? repositories.length === PAGE_SIZE : end < Number(total)
    return {
      repositories: repositories
        .map(({ namespace, name }) => `${namespace}/${name}`)
        .filter((name) => isWithin(name, namespace)),
      ...(hasMore && repositories.length > 0 ? { next: encodeCursor({ offset: end }) } : {}),
    }
  },

  async ensureRepository(context, repository) {
    // Repositories appear with the first push; organisations do not.
    const { namespace } = splitRepository(repository)
    if (isDockerLogin(context.endpoint)) return
    if (await hasOrganisation(context, namespace)) return
    const create = {
      ...signedCall(
        context,
        `create the organisation "${namespace}"`,
        'POST',
        '/v2/manage/namespaces',
        JSON.stringify({ namespace }),
      ),
      advice: `create the organisation "${namespace}" in the SWR console, or let this access key do so`,
    }
    const answer = await callApi(context, create)
    if (answer.status >= 200 && answer.status <= 299) return
    // Somebody may have been faster.
    if (await hasOrganisation(context, namespace)) return
    if (answer.status !== 409) throw refusalOf(context, create, answer)
    const message = `the organisation "${namespace}" of Huawei SWR belongs to another account: a name is taken once per region; choose another`
    throw remoteFault('rejected', message)
  },
}

/** Also true for who may not look, since they may still push. */
async function hasOrganisation(context: ProviderContext, name: string): Promise<boolean> {
  const query = new URLSearchParams({ namespace: name })
  const call = signedCall(context, 'list organisations', 'GET', `/v2/manage/namespaces?${query}`)
  try {
    const { value } = await callJson(context, call, Organisations)
    return value.namespaces?.some((organisation) => organisation.name === name) ?? false
  } catch (error) {
    if (isAppError(error, 'remote_denied') && !isRefusal(error, /^APIG/)) return true
    throw error
  }
}

/**
 * The long-term login: nothing is asked of the cloud, and it lives as long as the keys (Huawei Cloud,
 * "Obtaining a Long-Term Valid Login Command").
 */
function longTermLogin(endpoint: Endpoint): Login {
  const { accessKey, secretKey } = endpoint
  const password = createHmac('sha256', secretKey).update(accessKey).digest('hex')
  return { username: `${regionOf(endpoint)}@${accessKey}`, password }
}

/**
 * Keys that are a login already: `region@AK` of a copied command, or the user of an enterprise
 * instance, which has a host and accounts of its own.
 */
function isDockerLogin(endpoint: Endpoint): boolean {
  return endpoint.accessKey.includes('@') || hostnameOf(endpoint).includes('.swr-pro.')
}

/** @throws AppError when the address does not name it and none is stored */
function regionOf(endpoint: Endpoint): string {
  const region = endpoint.region?.trim() || /^swr\.([a-z0-9-]+)\./.exec(hostnameOf(endpoint))?.[1]
  if (region !== undefined) return region
  const message = `the region of Huawei SWR cannot be seen from the address ${hostOf(endpoint)}: give it, such as cn-north-4`
  throw new AppError('invalid_input', message, { field: 'region' })
}

/** `swr-api.…` beside `swr.…`; an own cloud has it at an own address. */
function apiAddress(context: ProviderContext): string {
  const given = context.apiUrl?.('swr')
  if (given !== undefined) return given
  const hostname = hostnameOf(context.endpoint)
  const region = regionOf(context.endpoint)
  const suffix = new RegExp(`^swr\\.${region.replaceAll('.', '\\.')}\\.(.+)$`).exec(hostname)?.[1]
  return `https://swr-api.${region}.${suffix ?? 'myhuaweicloud.com'}`
}

function signedCall(
  context: ProviderContext,
  purpose: string,
  method: string,
  path: string,
  body?: string,
): ApiCall {
  const { endpoint, clock } = context
  const url = `${apiAddress(context)}${path}`
  const signature = signRequest({
    method,
    url: new URL(url),
    accessKey: endpoint.accessKey,
    secretKey: endpoint.secretKey,
    now: clock.now(),
    ...(body === undefined ? {} : { body }),
  })
  return {
    registry: `Huawei SWR at ${hostOf(endpoint)}`,
    purpose,
    url,
    method,
    // Not signed, as the vendor's own clients leave it out: gateways change it.
    headers: { 'content-type': 'application/json', ...signature },
    ...(body === undefined ? {} : { body }),
    isVendorApi: true,
    advice: 'check the AK and SK, and that they may use SWR',
    readRefusal,
  }
}

function readRefusal(body: unknown): Said | undefined {
  const parsed = Refusal.safeParse(body)
  if (!parsed.success) return undefined
  const { data } = parsed
  const first = 'errors' in data ? data.errors[0] : undefined
  const code = 'error_code' in data ? data.error_code : (first?.errorCode ?? '')
  const message = 'error_msg' in data ? data.error_msg : (first?.errorMessage ?? '')
  // "API Gateway", error codes: 0301 the signature, 0303 the app, 0308 too many requests.
  if (code === 'APIG.0308') return { code, message, kind: 'throttled' }
  const isOld = /time|expired/i.test(message)
  if (/^APIG\.030[1-6]$/.test(code)) {
    const advice = isOld ? 'check the clock of this machine and the AK and SK' : undefined
    return { code, message, kind: 'denied', ...(advice ? { advice } : {}) }
  }
  // "SVCSTG.SWR.4030170": the status is in front.
  const status = /^SVCSTG\.SWR\.(\d{3})/.exec(code)?.[1]
  if (status === '404') return { code, message, kind: 'absent' }
  if (status === '429') return { code, message, kind: 'throttled' }
  return { code, message, kind: status === '401' || status === '403' ? 'denied' : 'invalid' }
}

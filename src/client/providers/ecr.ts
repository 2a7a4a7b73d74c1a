import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import type { Endpoint, Login, Provider, ProviderContext } from '../provider.ts'
import { remoteFault } from '../remote-error.ts'
import { type ApiCall, callJson, isRefusal, type Said } from './api-call.ts'
import { signAws } from './aws-signer.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { cloudAddress, hostnameOf, hostOf, isWithin, namespaceOf, storedLogin } from './endpoint.ts'

/** More is refused, by the API and by the registry. */
const PAGE_SIZE = 1000
const PUBLIC_HOST = 'public.ecr.aws'
/** `<account>.dkr.ecr[-fips].<region>.amazonaws.com[.cn]`, or dual-stack `….dkr-ecr.<region>.on.aws`. */
const PRIVATE_HOST =
  /^([a-z0-9-]+)\.(?:dkr\.ecr(-fips)?\.([a-z0-9-]+)\.(amazonaws\.com(?:\.cn)?)|dkr-ecr\.([a-z0-9-]+)\.on\.(?:aws|amazonwebservices\.com\.cn))$/

const Authorization = z.object({ authorizationToken: z.string(), expiresAt: z.number() })
const Token = z.object({
  // A list in the private API, one in the public.
  authorizationData: z.union([Authorization, z.array(Authorization).min(1)]),
})
const Repositories = z.object({
  repositories: z.array(z.object({ repositoryName: z.string(), repositoryUri: z.string() })),
  nextToken: z.string().nullish(),
})
const Refusal = z.object({
  __type: z.string(),
  message: z.string().optional(),
  Message: z.string().optional(),
})
const Place = z.object({ token: z.string() })

export const ecr: Provider = {
  name: 'ecr',
  limits: { concurrency: 8, perSecond: 20, pageSize: PAGE_SIZE },
  // A path in the address, as Zadig stores it, is the namespace and not the registry's.
  registryUrl: cloudAddress,

  async login(context) {
    if (!storedLogin(context.endpoint)) {
      if (apiOf(context.endpoint).isPublic) return undefined
      const message = `Amazon ECR at ${hostOf(context.endpoint)} needs an access key: only public.ecr.aws can be read without`
      throw new AppError('invalid_input', message, { field: 'access_key' })
    }
    const call = signedCall(context, 'log in', 'GetAuthorizationToken', {})
    const { value } = await callJson(context, call, Token)
    const [data] = [value.authorizationData].flat()
    return data && loginOf(data)
  },

  async listRepositories(context, options) {
    const namespace = namespaceOf(context.endpoint, options.namespace)
    if (!storedLogin(context.endpoint)) return undefined
    const { isPublic } = apiOf(context.endpoint)
    const place = decodeCursor(Place, options.next)
    const call = signedCall(context, 'list repositories', 'DescribeRepositories', {
      ...registryOf(context.endpoint),
      maxResults: PAGE_SIZE,
      ...(place ? { nextToken: place.token } : {}),
    })
    const { value } = await callJson(context, call, Repositories)
    // Public names have the alias of the registry in front, which only the URI tells.
    const names = value.repositories.map(({ repositoryName, repositoryUri }) =>
      isPublic ? repositoryUri.slice(repositoryUri.indexOf('/') + 1) : repositoryName,
    )
    return {
      repositories: names.filter((name) => isWithin(name, namespace)),
      ...(value.nextToken ? { next: encodeCursor({ token: value.nextToken }) } : {}),
    }
  },

  async ensureRepository(context, repository) {
    const { isPublic } = apiOf(context.endpoint)
    // `alias/name`: the alias is that of the keys.
    const name = isPublic ? repository.slice(repository.indexOf('/') + 1) : repository
    const registry = registryOf(context.endpoint)
    try {
      const body = { ...registry, repositoryNames: [name] }
      const look = signedCall(context, 'look for a repository', 'DescribeRepositories', body)
      await callJson(context, look, Repositories)
    } catch (error) {
      // Who may not look may still push, or have the repository made by a creation template.
      if (isRefusal(error, /AccessDenied/)) return
      if (!isRefusal(error, /RepositoryNotFound/)) throw error
      await createRepository(context, name, registry)
    }
  },
}

async function createRepository(
  context: ProviderContext,
  name: string,
  registry: object,
): Promise<void> {
  const call = signedCall(context, `create the repository "${name}"`, 'CreateRepository', {
    ...registry,
    repositoryName: name,
  })
  call.advice = `create the repository "${name}" in Amazon ECR, or allow ecr:CreateRepository to this access key`
  try {
    await callJson(context, call, z.unknown())
  } catch (error) {
    if (!isRefusal(error, /RepositoryAlreadyExists/)) throw error
  }
}

function loginOf({ authorizationToken, expiresAt }: z.infer<typeof Authorization>): Login {
  const pair = Buffer.from(authorizationToken, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  if (colon < 1) {
    throw remoteFault('answer', 'Amazon ECR gave a login that cannot be read')
  }
  return {
    username: pair.slice(0, colon),
    password: pair.slice(colon + 1),
    expiresAt: Math.floor(expiresAt * 1000),
  }
}

/** A cross-account registry is named by its account, the first label of its host. */
function registryOf(endpoint: Endpoint): { registryId?: string } {
  const account = PRIVATE_HOST.exec(hostnameOf(endpoint))?.[1]
  return account !== undefined && /^\d{12}$/.test(account) ? { registryId: account } : {}
}

function apiOf(endpoint: Endpoint): { isPublic: boolean; region: string; url: string } {
  const hostname = hostnameOf(endpoint)
  if (hostname === PUBLIC_HOST) {
    // The public registry's API is in one region only.
    return {
      isPublic: true,
      region: 'us-east-1',
      url: 'https://api.ecr-public.us-east-1.amazonaws.com',
    }
  }
  const parts = PRIVATE_HOST.exec(hostname)
  const region = endpoint.region?.trim() || parts?.[3] || parts?.[5]
  if (!region) {
    const message = `the region of Amazon ECR cannot be seen from the address ${hostname}: give it, such as eu-west-1`
    throw new AppError('invalid_input', message, { field: 'region' })
  }
  const domain = parts?.[4] ?? (region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com')
  const service = parts?.[2] ? 'ecr-fips' : 'api.ecr'
  return { isPublic: false, region, url: `https://${service}.${region}.${domain}` }
}

function signedCall(
  context: ProviderContext,
  purpose: string,
  action: string,
  input: object,
): ApiCall {
  const { endpoint, clock } = context
  const api = apiOf(endpoint)
  const given = context.apiUrl?.(api.isPublic ? 'ecr-public' : 'ecr')
  const url = `${given ?? api.url}/`
  const body = JSON.stringify(input)
  const service = api.isPublic ? 'SpencerFrontendService' : 'AmazonEC2ContainerRegistry_V20150921'
  const headers = {
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': `${service}.${action}`,
  }
  const signature = signAws({
    method: 'POST',
    url: new URL(url),
    headers,
    body,
    region: api.region,
    service: api.isPublic ? 'ecr-public' : 'ecr',
    accessKey: endpoint.accessKey,
    secretKey: endpoint.secretKey,
    now: clock.now(),
  })
  return {
    registry: `Amazon ECR at ${hostOf(endpoint)}`,
    purpose,
    url,
    method: 'POST',
    headers: { ...headers, ...signature },
    body,
    isVendorApi: true,
    advice: `check the access key, and that it may call ecr:${action}`,
    readRefusal,
  }
}

/** AWS JSON 1.1: the code may have a namespace in front and an address behind. */
function readRefusal(body: unknown): Said | undefined {
  const parsed = Refusal.safeParse(body)
  if (!parsed.success) return undefined
  const code = parsed.data.__type.replace(/^.*#/, '').replace(/:.*$/, '')
  const message = parsed.data.message ?? parsed.data.Message ?? ''
  if (/Throttl|TooManyRequests|LimitExceeded$|RequestLimit/.test(code)) {
    return { code, message, kind: /^LimitExceeded/.test(code) ? 'invalid' : 'throttled' }
  }
  if (/^(?:InvalidSignature|RequestExpired|SignatureDoesNotMatch)/.test(code)) {
    const advice = 'check the secret access key and the clock of this machine'
    return { code, message, kind: 'denied', advice }
  }
  if (/^ExpiredToken/.test(code)) {
    const advice = 'temporary keys of AWS end after hours: store those of an IAM user'
    return { code, message, kind: 'denied', advice }
  }
  if (/UnrecognizedClient|AccessDenied|InvalidClientToken|NotAuthorized|MissingAuth/.test(code)) {
    return { code, message, kind: 'denied' }
  }
  if (/^(?:Server|InternalFailure|ServiceUnavailable|InternalServer)/.test(code)) {
    return { code, message, kind: 'unavailable' }
  }
  return { code, message, kind: /NotFound/.test(code) ? 'absent' : 'invalid' }
}

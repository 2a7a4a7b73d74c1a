import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import type { Endpoint, Provider, ProviderContext } from '../provider.ts'
import { remoteFault } from '../remote-error.ts'
import { type ApiCall, callJson, isRefusal, type Said } from './api-call.ts'
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
import { signTencent } from './tencent-signer.ts'
import { createTokenMemory } from './token-memory.ts'

const VERSION = '2019-09-24'
/** The most that the API gives out at once. */
const PAGE_SIZE = 100
/** Where instances of every region can be looked up. */
const ANY_REGION = 'ap-guangzhou'
const ENTERPRISE_HOST = /^(.+)\.tencentcloudcr\.com$/

const Instance = z.object({ RegistryId: z.string(), RegionName: z.string() })
const Instances = z.object({
  Registries: z.array(Instance.extend({ RegistryName: z.string() })).nullish(),
})
const Token = z.object({ Username: z.string(), Token: z.string(), ExpTime: z.number() })
const Namespaces = z.object({ NamespaceList: z.array(z.object({ Name: z.string() })).nullish() })
const Repositories = z.object({
  RepositoryList: z.array(z.object({ Name: z.string() })).nullish(),
  TotalCount: z.number().nullish(),
})
const Refusal = z.object({
  Response: z.object({ Error: z.object({ Code: z.string(), Message: z.string() }) }),
})
const Place = z.object({ page: z.number().int().positive() })
type Instance = z.infer<typeof Instance>

/** Which instance a host is does not change; a key that may no longer see it is refused anyway. */
const INSTANCE_LIFE_MS = 3_600_000
const instances = createTokenMemory<Instance>()

/**
 * Tencent Container Registry. Which edition it is the host tells, whatever was chosen: Zadig's own
 * example stores an enterprise instance as `tcr`.
 */
const base: Omit<Provider, 'name'> = {
  limits: { concurrency: 4, perSecond: 10, pageSize: PAGE_SIZE },
  registryUrl: cloudAddress,

  async login(context) {
    const { endpoint } = context
    if (!hasApiKey(endpoint)) return storedLogin(endpoint)
    const instance = await findInstance(context)
    const input = { RegistryId: instance.RegistryId, TokenType: 'temp' }
    const token = await call(context, 'log in', 'CreateInstanceToken', instance, input, Token)
    return { username: token.Username, password: token.Token, expiresAt: token.ExpTime }
  },

  async listRepositories(context, options) {
    if (!hasApiKey(context.endpoint)) {
      const message = `Tencent TCR at ${hostOf(context.endpoint)} lists repositories only for an API key (SecretId and SecretKey) of an enterprise instance, not for a docker login`
      throw remoteFault('unsupported', message)
    }
    const namespace = namespaceOf(context.endpoint, options.namespace)
    const { page } = decodeCursor(Place, options.next) ?? { page: 1 }
    const instance = await findInstance(context)
    const input = {
      RegistryId: instance.RegistryId,
      ...(namespace === undefined ? {} : { NamespaceName: namespace.split('/')[0] }),
      // A page's number, not a count of entries.
      Offset: page,
      Limit: PAGE_SIZE,
    }
    const answer = await call(
      context,
      'list repositories',
      'DescribeRepositories',
      instance,
      input,
      Repositories,
    )
    const names = (answer.RepositoryList ?? []).map(({ Name }) => Name)
    const hasMore = names.length > 0 && page * PAGE_SIZE < (answer.TotalCount ?? 0)
    return {
      repositories: names.filter((name) => isWithin(name, namespace)),
      ...(hasMore ? { next: encodeCursor({ page: page + 1 }) } : {}),
    }
  },

  async ensureRepository(context, repository) {
    const { namespace, name } = splitRepository(repository)
    // With a docker login nothing can be made; the push says what is missing.
    if (!hasApiKey(context.endpoint)) return
    const instance = await findInstance(context)
    const { RegistryId } = instance
    const inNamespace = { RegistryId, NamespaceName: namespace }
    const namespaces = await call(
      context,
      'look for a namespace',
      'DescribeNamespaces',
      instance,
      { ...inNamespace, Limit: PAGE_SIZE },
      Namespaces,
    )
    if (!namespaces.NamespaceList?.some(({ Name }) => Name === namespace)) {
      const purpose = `create the namespace "${namespace}"`
      await create(context, purpose, 'CreateNamespace', instance, {
        ...inNamespace,
        IsPublic: false,
      })
    }
    const inRepository = { ...inNamespace, RepositoryName: name }
    const repositories = await call(
      context,
      'look for a repository',
      'DescribeRepositories',
      instance,
      { ...inRepository, Offset: 1, Limit: PAGE_SIZE },
      Repositories,
    )
    if (repositories.RepositoryList?.some(({ Name }) => Name === repository)) return
    const purpose = `create the repository "${repository}"`
    await create(context, purpose, 'CreateRepository', instance, inRepository)
  },
}

export const tcr: Provider = { ...base, name: 'tcr' }
export const tcrEnterprise: Provider = { ...base, name: 'tcr-enterprise' }

/** A key of the cloud's API rather than the user of a docker login. */
function hasApiKey(endpoint: Endpoint): boolean {
  if (!/^[AI]KID/.test(endpoint.accessKey)) return false
  if (ENTERPRISE_HOST.test(hostnameOf(endpoint))) return true
  const message = `the personal edition of Tencent TCR at ${hostOf(endpoint)} takes no API key: store the docker user and password from its console`
  throw new AppError('invalid_input', message, { field: 'access_key' })
}

async function findInstance(context: ProviderContext): Promise<Instance> {
  const { endpoint, clock } = context
  const { accessKey, secretKey } = endpoint
  const credential = [apiAddress(context), hostnameOf(endpoint), accessKey, secretKey]
  const now = clock.now()
  return instances.remember(credential, now, async () => ({
    value: await readInstance(context),
    expiresAt: now + INSTANCE_LIFE_MS,
  }))
}

async function readInstance(context: ProviderContext): Promise<Instance> {
  const { endpoint } = context
  const name = ENTERPRISE_HOST.exec(hostnameOf(endpoint))?.[1] ?? ''
  const { Registries } = await call(
    context,
    'find its instance',
    'DescribeInstances',
    { RegionName: endpoint.region?.trim() || ANY_REGION },
    { AllRegion: true, Filters: [{ Name: 'RegistryName', Values: [name] }] },
    Instances,
  )
  const found = Registries?.find(({ RegistryName }) => RegistryName === name)
  if (found) return { RegistryId: found.RegistryId, RegionName: found.RegionName }
  const message = `the API key sees no instance "${name}" of Tencent TCR: check the address and that the key may call tcr:DescribeInstances`
  throw new AppError('not_found', message, { problem: 'absent' })
}

function apiAddress(context: ProviderContext): string {
  return context.apiUrl?.('tcr') ?? 'https://tcr.tencentcloudapi.com'
}

async function create(
  context: ProviderContext,
  purpose: string,
  action: string,
  instance: Instance,
  input: object,
): Promise<void> {
  try {
    await call(context, purpose, action, instance, input, z.unknown())
  } catch (error) {
    // Somebody was faster.
    if (!isRefusal(error, /NameExists|AlreadyExist/i)) throw error
  }
}

async function call<T>(
  context: ProviderContext,
  purpose: string,
  action: string,
  { RegionName }: { RegionName: string },
  input: object,
  schema: z.ZodType<T>,
): Promise<T> {
  const { endpoint, clock } = context
  const url = new URL(apiAddress(context))
  const body = JSON.stringify(input)
  const timestamp = Math.floor(clock.now() / 1000)
  const signed = {
    'content-type': 'application/json; charset=utf-8',
    host: url.host,
    'x-tc-action': action,
  }
  const authorization = signTencent({
    headers: signed,
    body,
    service: 'tcr',
    accessKey: endpoint.accessKey,
    secretKey: endpoint.secretKey,
    timestamp,
  })
  const apiCall: ApiCall = {
    registry: `Tencent TCR at ${hostOf(endpoint)}`,
    purpose,
    url: url.href,
    method: 'POST',
    headers: {
      'content-type': signed['content-type'],
      'x-tc-action': action,
      'x-tc-version': VERSION,
      'x-tc-region': RegionName,
      'x-tc-timestamp': `${timestamp}`,
      authorization,
    },
    body,
    isVendorApi: true,
    advice: `check the SecretId and SecretKey, and that they may call tcr:${action}`,
    readRefusal,
  }
  const { value } = await callJson(context, apiCall, z.object({ Response: schema }))
  return value.Response
}

/** Errors come with status 200. */
function readRefusal(body: unknown): Said | undefined {
  const parsed = Refusal.safeParse(body)
  if (!parsed.success) return undefined
  const { Code: code, Message: message } = parsed.data.Response.Error
  if (/^RequestLimitExceeded/.test(code)) return { code, message, kind: 'throttled' }
  if (code === 'AuthFailure.SignatureExpire') {
    return { code, message, kind: 'denied', advice: 'check the clock of this machine' }
  }
  if (/^(?:AuthFailure|UnauthorizedOperation)/.test(code)) return { code, message, kind: 'denied' }
  if (/^InternalError/.test(code)) return { code, message, kind: 'unavailable' }
  return { code, message, kind: /^ResourceNotFound/.test(code) ? 'absent' : 'invalid' }
}

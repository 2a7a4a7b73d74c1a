import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import type { Endpoint, Provider, ProviderContext } from '../provider.ts'
import { remoteFault } from '../remote-error.ts'
import { type AcrPlace, acrPlace, callEnterprise, callPersonal } from './acr-api.ts'
import { isRefusal } from './api-call.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import {
  cloudAddress,
  hostOf,
  isWithin,
  namespaceOf,
  splitRepository,
  storedLogin,
} from './endpoint.ts'

/** The most that both versions of the API give out at once. */
const PAGE_SIZE = 100

const EnterpriseToken = z.object({
  TempUsername: z.string(),
  AuthorizationToken: z.string(),
  ExpireTime: z.number(),
})
const PersonalToken = z.object({
  data: z.object({
    tempUserName: z.string(),
    authorizationToken: z.string(),
    expireDate: z.number(),
  }),
})
/** Totals are texts in the one version and numbers in the other. */
const Total = z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)])
const EnterpriseRepositories = z.object({
  Repositories: z
    .array(z.object({ RepoNamespaceName: z.string(), RepoName: z.string() }))
    .nullish(),
  TotalCount: Total,
})
const PersonalRepositories = z.object({
  data: z.object({
    total: Total,
    repos: z.array(z.object({ repoNamespace: z.string(), repoName: z.string() })).nullish(),
  }),
})
const EnterpriseNamespaces = z.object({
  Namespaces: z
    .array(z.object({ NamespaceName: z.string(), AutoCreateRepo: z.boolean().nullish() }))
    .nullish(),
})
const PersonalNamespaces = z.object({
  data: z.object({ namespaces: z.array(z.object({ namespace: z.string() })).nullish() }),
})
const Place = z.object({ page: z.number().int().positive() })

/**
 * Alibaba Cloud Container Registry. Which edition it is the registry says in its challenge, whatever
 * was chosen. The keys are either a docker user and password, or the AccessKey of a RAM user.
 */
const base: Omit<Provider, 'name'> = {
  limits: { concurrency: 5, perSecond: 15, pageSize: PAGE_SIZE, depth: 2 },
  registryUrl: cloudAddress,

  async login(context) {
    const { endpoint } = context
    if (!hasAccessKey(endpoint)) return storedLogin(endpoint)
    const place = await acrPlace(context)
    const action = 'GetAuthorizationToken'
    if (place.instanceId !== undefined) {
      const token = await callEnterprise(context, place, 'log in', action, {}, EnterpriseToken)
      const { TempUsername, AuthorizationToken, ExpireTime } = token
      return { username: TempUsername, password: AuthorizationToken, expiresAt: ExpireTime }
    }
    const request = { purpose: 'log in', action, path: '/tokens' }
    const { data } = await callPersonal(context, place, request, PersonalToken)
    return {
      username: data.tempUserName,
      password: data.authorizationToken,
      expiresAt: data.expireDate,
    }
  },

  async listRepositories(context, options) {
    const { endpoint } = context
    if (!hasAccessKey(endpoint)) {
      const message = `Alibaba ACR at ${hostOf(endpoint)} lists repositories only for an AccessKey, not for a docker user and password; store the AccessKey of a RAM user instead`
      throw remoteFault('unsupported', message)
    }
    const namespace = namespaceOf(endpoint, options.namespace)
    const { page } = decodeCursor(Place, options.next) ?? { page: 1 }
    const place = await acrPlace(context)
    const { names, total } = await readRepositories(context, place, page, namespace?.split('/')[0])
    const hasMore = names.length > 0 && page * PAGE_SIZE < total
    return {
      repositories: names.filter((name) => isWithin(name, namespace)),
      ...(hasMore ? { next: encodeCursor({ page: page + 1 }) } : {}),
    }
  },

  async ensureRepository(context, repository) {
    const { namespace, name } = splitRepository(repository)
    if (name.includes('/')) {
      const message = `Alibaba ACR has names of two parts, namespace/name: "${repository}" has more; choose a flat name`
      throw new AppError('name_invalid', message)
    }
    // With a docker password nothing can be made; the push says what is missing.
    if (!hasAccessKey(context.endpoint)) return
    const place = await acrPlace(context)
    if (place.instanceId === undefined) await ensurePersonal(context, place, namespace)
    else await ensureEnterprise(context, place, namespace, name)
  },
}

export const acr: Provider = { ...base, name: 'acr' }
export const acrEnterprise: Provider = { ...base, name: 'acr-enterprise' }

/** AccessKey IDs begin so; nobody's docker user does. */
function hasAccessKey({ accessKey }: Endpoint): boolean {
  return /^LTAI[A-Za-z0-9]+$/.test(accessKey)
}

async function readRepositories(
  context: ProviderContext,
  place: AcrPlace,
  page: number,
  namespace: string | undefined,
): Promise<{ names: string[]; total: number }> {
  const purpose = 'list repositories'
  if (place.instanceId !== undefined) {
    const input = {
      PageNo: page,
      PageSize: PAGE_SIZE,
      RepoStatus: 'NORMAL',
      ...(namespace === undefined ? {} : { RepoNamespaceName: namespace }),
    }
    const schema = EnterpriseRepositories
    const answer = await callEnterprise(context, place, purpose, 'ListRepository', input, schema)
    const names = (answer.Repositories ?? []).map(
      ({ RepoNamespaceName, RepoName }) => `${RepoNamespaceName}/${RepoName}`,
    )
    return { names, total: answer.TotalCount }
  }
  const query = new URLSearchParams({ Page: `${page}`, PageSize: `${PAGE_SIZE}` })
  const request =
    namespace === undefined
      ? { purpose, action: 'GetRepoList', path: `/repos?${query}` }
      : {
          purpose,
          action: 'GetRepoListByNamespace',
          path: `/repos/${encodeURIComponent(namespace)}?${query}`,
        }
  const { data } = await callPersonal(context, place, request, PersonalRepositories)
  const names = (data.repos ?? []).map(
    ({ repoNamespace, repoName }) => `${repoNamespace}/${repoName}`,
  )
  return { names, total: data.total }
}

async function ensureEnterprise(
  context: ProviderContext,
  place: AcrPlace,
  namespace: string,
  name: string,
): Promise<void> {
  // The name filters loosely.
  const seen = await callEnterprise(
    context,
    place,
    'look for a namespace',
    'ListNamespace',
    { NamespaceName: namespace, PageNo: 1, PageSize: PAGE_SIZE },
    EnterpriseNamespaces,
  )
  const found = seen.Namespaces?.find(({ NamespaceName }) => NamespaceName === namespace)
  if (!found) {
    await unlessThere(
      callEnterprise(
        context,
        place,
        `create the namespace "${namespace}"`,
        'CreateNamespace',
        { NamespaceName: namespace, AutoCreateRepo: true, DefaultRepoType: 'PRIVATE' },
        z.unknown(),
      ),
    )
  } else if (found.AutoCreateRepo === false) {
    // Only then does a push not make its repository.
    await unlessThere(
      callEnterprise(
        context,
        place,
        `create the repository "${namespace}/${name}"`,
        'CreateRepository',
        { RepoNamespaceName: namespace, RepoName: name, RepoType: 'PRIVATE', Summary: name },
        z.unknown(),
      ),
    )
  }
}

async function ensurePersonal(
  context: ProviderContext,
  place: AcrPlace,
  namespace: string,
): Promise<void> {
  const list = { purpose: 'look for a namespace', action: 'GetNamespaceList', path: '/namespace' }
  const { data } = await callPersonal(context, place, list, PersonalNamespaces)
  if (data.namespaces?.some((entry) => entry.namespace === namespace)) return
  const create = {
    purpose: `create the namespace "${namespace}"`,
    action: 'CreateNamespace',
    method: 'PUT',
    path: '/namespace',
    body: { Namespace: { Namespace: namespace } },
  }
  await unlessThere(callPersonal(context, place, create, z.unknown()))
}

/** Somebody may have been faster. */
async function unlessThere(creation: Promise<unknown>): Promise<void> {
  try {
    await creation
  } catch (error) {
    if (!isRefusal(error, /(?:^|_)(?:EXIST|ALREADY_EXISTS?|EXISTED)$|AlreadyExist/i)) throw error
  }
}

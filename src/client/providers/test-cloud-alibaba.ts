import { randomBytes } from 'node:crypto'
import { pageOf, type Seen, startCloud, type TestCloud } from './test-cloud.ts'
import {
  authorizationParts,
  headerLines,
  hmacOf,
  sha256Hex,
  sortedQuery,
} from './test-signature.ts'

const SKEW_MS = 15 * 60_000

export interface AlibabaCloud extends TestCloud {
  /** Name → whether a push makes its repositories. */
  namespaces: Map<string, boolean>
  /** `namespace/name` */
  repositories: Set<string>
  passwords: string[]
  throttled: number
  /** Who may not create. */
  isReader: boolean
}

/** The registry's challenge and both APIs: 2018-12-01 with an instance, 2016-06-07 without. */
export function startAlibaba(options: {
  accessKey: string
  secretKey: string
  /** Absent: the personal edition. */
  instanceId?: string
  now?: () => number
}): AlibabaCloud {
  const { accessKey, secretKey, instanceId, now = Date.now } = options
  const nonces = new Set<string>()
  const cloud: AlibabaCloud = Object.assign(startCloud(answer), {
    namespaces: new Map<string, boolean>(),
    repositories: new Set<string>(),
    passwords: [],
    throttled: 0,
    isReader: false,
  })
  return cloud

  function answer(seen: Seen): Response {
    if (seen.path === '/v2/') {
      const place = instanceId === undefined ? '26842' : `china:${instanceId}`
      const challenge = `Bearer realm="https://dockerauth.cn-hangzhou.aliyuncs.com/auth",service="registry.aliyuncs.com:cn-hangzhou:${place}"`
      return new Response('', { status: 401, headers: { 'www-authenticate': challenge } })
    }
    const problem = problemOfSignature(seen)
    if (problem) return problem
    if (cloud.throttled > 0) {
      cloud.throttled -= 1
      return refuse(400, 'Throttling.User', 'Request was denied due to user flow control.')
    }
    const action = seen.headers.get('x-acs-action') ?? ''
    if (cloud.isReader && action.startsWith('Create')) {
      return refuse(403, 'Forbidden.RAM', 'User not authorized to operate on the resource.')
    }
    const version = seen.headers.get('x-acs-version')
    if (instanceId !== undefined && version === '2018-12-01' && seen.method === 'POST') {
      return enterprise(action, seen.query)
    }
    if (instanceId === undefined && version === '2016-06-07') return personal(action, seen)
    return refuse(404, 'InvalidVersion', 'not this version')
  }

  function enterprise(action: string, query: URLSearchParams): Response {
    if (query.get('InstanceId') !== instanceId) return failed('INSTANCE_NOT_EXIST')
    const [page, size] = [Number(query.get('PageNo')), Number(query.get('PageSize'))]
    if (size > 100) return failed('PARAM_ERROR')
    const namespace = query.get('NamespaceName') ?? query.get('RepoNamespaceName') ?? ''
    if (action === 'GetAuthorizationToken') {
      return succeeded({
        TempUsername: 'cr_temp_user',
        AuthorizationToken: newPassword(),
        ExpireTime: now() + 3_600_000,
      })
    }
    if (action === 'ListRepository') {
      const found = repositoriesOf(namespace)
      const Repositories = pageOf(found, page, size).map(([RepoNamespaceName, RepoName]) => ({
        RepoNamespaceName,
        RepoName,
      }))
      return succeeded({ Repositories, TotalCount: `${found.length}`, PageNo: page })
    }
    if (action === 'ListNamespace') {
      const found = [...cloud.namespaces].filter(([name]) => name.includes(namespace))
      const Namespaces = pageOf(found, page, size).map(([NamespaceName, AutoCreateRepo]) => ({
        NamespaceName,
        AutoCreateRepo,
      }))
      return succeeded({ Namespaces, TotalCount: `${found.length}` })
    }
    if (action === 'CreateNamespace') {
      if (cloud.namespaces.has(namespace)) return failed('NAMESPACE_EXIST')
      cloud.namespaces.set(namespace, query.get('AutoCreateRepo') === 'true')
      return succeeded({})
    }
    if (action === 'CreateRepository') {
      const name = `${namespace}/${query.get('RepoName')}`
      if (cloud.repositories.has(name)) return failed('REPO_EXIST')
      cloud.repositories.add(name)
      return succeeded({})
    }
    return refuse(404, 'InvalidAction.NotFound', action)
  }

  function personal(action: string, seen: Seen): Response {
    const [page, pageSize] = [Number(seen.query.get('Page')), Number(seen.query.get('PageSize'))]
    const route = `${seen.method} ${action} ${seen.path}`
    if (route === 'GET GetAuthorizationToken /tokens') {
      return personally({
        tempUserName: 'cr_temp_user',
        authorizationToken: newPassword(),
        expireDate: now() + 3_600_000,
      })
    }
    if (route === 'GET GetNamespaceList /namespace') {
      const namespaces = [...cloud.namespaces.keys()].map((namespace) => ({ namespace }))
      return personally({ namespaces })
    }
    if (route === 'PUT CreateNamespace /namespace') {
      const namespace: string = JSON.parse(seen.body).Namespace.Namespace
      if (cloud.namespaces.has(namespace)) return refused('NAMESPACE_ALREADY_EXIST')
      cloud.namespaces.set(namespace, true)
      return personally({})
    }
    const named = /^GET GetRepoListByNamespace \/repos\/([^/]+)$/.exec(route)?.[1]
    if (route !== 'GET GetRepoList /repos' && named === undefined) {
      return refuse(404, 'InvalidAction.NotFound', route)
    }
    if (pageSize > 100) return refused('PARAM_ERROR')
    const found = repositoriesOf(named ?? '')
    const repos = pageOf(found, page, pageSize).map(([repoNamespace, repoName]) => ({
      repoNamespace,
      repoName,
    }))
    return personally({ total: found.length, page, pageSize, repos })
  }

  function repositoriesOf(namespace: string): string[][] {
    return [...cloud.repositories]
      .filter((name) => namespace === '' || name.startsWith(`${namespace}/`))
      .sort()
      .map((name) => name.split('/'))
  }

  function newPassword(): string {
    const password = randomBytes(24).toString('base64url')
    cloud.passwords.push(password)
    return password
  }

  function problemOfSignature(seen: Seen): Response | undefined {
    const { algorithm, Credential, SignedHeaders = '', Signature } = authorizationParts(seen)
    if (Credential !== accessKey) {
      return refuse(404, 'InvalidAccessKeyId.NotFound', 'Specified access key is not found.')
    }
    const date = Date.parse(seen.headers.get('x-acs-date') ?? '')
    if (!(Math.abs(date - now()) < SKEW_MS)) {
      return refuse(400, 'InvalidTimeStamp.Expired', 'Specified time stamp or date is expired.')
    }
    const nonce = seen.headers.get('x-acs-signature-nonce') ?? ''
    if (nonce === '' || nonces.has(nonce)) return refuse(400, 'SignatureNonceUsed', 'used')
    nonces.add(nonce)
    const payload = sha256Hex(seen.body)
    const names = SignedHeaders.split(';')
    // Every header of its own kind has to be signed, and the host.
    const isWhole =
      names.includes('host') &&
      [...seen.headers.keys()].every((name) => !name.startsWith('x-acs-') || names.includes(name))
    const path = seen.path
    const canonical = `${seen.method}\n${path}\n${sortedQuery(seen)}\n${headerLines(seen, SignedHeaders)}\n${SignedHeaders}\n${payload}`
    const expected = hmacOf(secretKey, `ACS3-HMAC-SHA256\n${sha256Hex(canonical)}`).toString('hex')
    const isRight =
      isWhole &&
      algorithm === 'ACS3-HMAC-SHA256' &&
      payload === seen.headers.get('x-acs-content-sha256') &&
      Signature === expected
    if (isRight) return undefined
    return refuse(400, 'SignatureDoesNotMatch', 'Specified signature is not matched.')
  }
}

/** The gateway's form. */
function refuse(status: number, Code: string, Message: string): Response {
  return Response.json({ RequestId: 'a request', HostId: 'cr', Code, Message }, { status })
}

function succeeded(more: object): Response {
  return Response.json({ IsSuccess: true, Code: 'success', RequestId: 'a request', ...more })
}

/** An enterprise instance's own refusals have status 200. */
function failed(Code: string): Response {
  return Response.json({ IsSuccess: false, Code, RequestId: 'a request' })
}

function personally(data: object): Response {
  return Response.json({ data, requestId: 'a request' })
}

function refused(code: string): Response {
  return Response.json({ code, message: code, requestId: 'a request' }, { status: 400 })
}

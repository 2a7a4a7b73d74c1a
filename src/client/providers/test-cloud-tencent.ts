import { randomBytes } from 'node:crypto'
import { pageOf, type Seen, startCloud, type TestCloud } from './test-cloud.ts'
import { authorizationParts, headerLines, hmacOf, sha256Hex } from './test-signature.ts'

const SKEW_S = 300

export interface TencentCloud extends TestCloud {
  /** `namespace/name` */
  repositories: Set<string>
  namespaces: Set<string>
  tokens: string[]
  throttled: number
}

/** The API of Tencent Container Registry, version 2019-09-24, with one instance. */
export function startTencent(options: {
  accessKey: string
  secretKey: string
  instance: { name: string; id: string; region: string }
  now?: () => number
}): TencentCloud {
  const { accessKey, secretKey, instance, now = Date.now } = options
  const cloud: TencentCloud = Object.assign(startCloud(answer), {
    repositories: new Set<string>(),
    namespaces: new Set<string>(),
    tokens: [],
    throttled: 0,
  })
  return cloud

  function answer(seen: Seen): Response {
    const problem = problemOfSignature(seen)
    if (problem) return problem
    if (cloud.throttled > 0) {
      cloud.throttled -= 1
      return refuse('RequestLimitExceeded', 'Your current request times exceeds the limit.')
    }
    if (seen.headers.get('x-tc-version') !== '2019-09-24') return refuse('NoSuchVersion', '')
    const input = JSON.parse(seen.body)
    const action = seen.headers.get('x-tc-action') ?? ''
    if (action === 'DescribeInstances') {
      const wanted: unknown[] = input.Filters?.[0]?.Values ?? []
      const isFound = input.AllRegion === true && wanted.includes(instance.name)
      const found = {
        RegistryId: instance.id,
        RegistryName: instance.name,
        RegionName: instance.region,
      }
      return give({ TotalCount: isFound ? 1 : 0, Registries: isFound ? [found] : [] })
    }
    if (seen.headers.get('x-tc-region') !== instance.region) {
      return refuse('ResourceNotFound', 'not in this region')
    }
    if (input.RegistryId !== instance.id) return refuse('ResourceNotFound', 'no such instance')
    return act(action, input)
  }

  function act(action: string, input: Record<string, string & number>): Response {
    const { NamespaceName: namespace = '', RepositoryName: name } = input
    if (action === 'CreateInstanceToken') {
      const token = randomBytes(24).toString('base64url')
      cloud.tokens.push(token)
      return give({ Username: '100012345678', Token: token, ExpTime: now() + 3_600_000 })
    }
    if (action === 'DescribeNamespaces') {
      // The name filters loosely.
      const found = [...cloud.namespaces].filter((each) => each.includes(namespace))
      return give({ NamespaceList: found.map((Name) => ({ Name })), TotalCount: found.length })
    }
    if (action === 'DescribeRepositories') {
      const size = input.Limit ?? 20
      if (size > 100) return refuse('InvalidParameterValue', 'Limit')
      const found = [...cloud.repositories]
        .filter((each) => namespace === '' || each.startsWith(`${namespace}/`))
        .filter((each) => name === undefined || each.includes(name))
        .sort()
      const page = pageOf(found, input.Offset ?? 1, size)
      return give({ RepositoryList: page.map((Name) => ({ Name })), TotalCount: found.length })
    }
    if (action === 'CreateNamespace') {
      if (cloud.namespaces.has(namespace))
        return refuse('InvalidParameter.ErrorNameExists', 'it is')
      cloud.namespaces.add(namespace)
      return give({})
    }
    if (action === 'CreateRepository') {
      if (!cloud.namespaces.has(namespace)) return refuse('ResourceNotFound', 'no such namespace')
      const full = `${namespace}/${name}`
      if (cloud.repositories.has(full)) return refuse('InvalidParameter.ErrorNameExists', 'it is')
      cloud.repositories.add(full)
      return give({})
    }
    return refuse('InvalidAction', action)
  }

  function problemOfSignature(seen: Seen): Response | undefined {
    const parts = authorizationParts(seen)
    const [key, day = '', service, end] = (parts.Credential ?? '').split('/')
    const signed = parts.SignedHeaders ?? ''
    const timestamp = Number(seen.headers.get('x-tc-timestamp'))
    if (key !== accessKey) {
      return refuse('AuthFailure.SecretIdNotFound', 'The SecretId is not found.')
    }
    if (Math.abs(timestamp - now() / 1000) > SKEW_S) {
      return refuse('AuthFailure.SignatureExpire', 'signature expired')
    }
    const names = signed.split(';')
    const isWhole = names.includes('host') && names.includes('content-type')
    const canonical = `${seen.method}\n${seen.path}\n${seen.target.split('?')[1] ?? ''}\n${headerLines(seen, signed, (value) => value.toLowerCase())}\n${signed}\n${sha256Hex(seen.body)}`
    const text = `TC3-HMAC-SHA256\n${timestamp}\n${day}/tcr/tc3_request\n${sha256Hex(canonical)}`
    const utcDay = new Date(timestamp * 1000).toISOString().split('T')[0]
    const signing = hmacOf(hmacOf(hmacOf(`TC3${secretKey}`, day), 'tcr'), 'tc3_request')
    const isRight =
      isWhole &&
      parts.algorithm === 'TC3-HMAC-SHA256' &&
      day === utcDay &&
      service === 'tcr' &&
      end === 'tc3_request' &&
      parts.Signature === hmacOf(signing, text).toString('hex')
    return isRight
      ? undefined
      : refuse('AuthFailure.SignatureFailure', 'The provided credentials could not be validated.')
  }
}

function give(response: object): Response {
  return Response.json({ Response: { ...response, RequestId: 'a request' } })
}

/** With status 200, as the real one. */
function refuse(Code: string, Message: string): Response {
  return give({ Error: { Code, Message } })
}

import { randomBytes } from 'node:crypto'
import { type Seen, startCloud, type TestCloud } from './test-cloud.ts'
import {
  authorizationParts,
  headerLines,
  hmacOf,
  sha256Hex,
  sortedQuery,
} from './test-signature.ts'

const TOKEN_LIFE_S = 12 * 3600
const SKEW_MS = 5 * 60_000

export interface AwsCloud extends TestCloud {
  repositories: Set<string>
  /** Passwords given out, by what the registry would accept. */
  passwords: string[]
  /** Answer so many calls with ThrottlingException. */
  throttled: number
  /** The keys have been those of a session that is over. */
  hasExpired: boolean
  /** Calls that these keys may not make. */
  forbidden: Set<string>
  /** The largest page that is given out. */
  pageSize: number
}

/** Amazon ECR's API (AWS JSON 1.1), private or public. */
export function startAws(options: {
  accessKey: string
  secretKey: string
  region: string
  isPublic?: boolean
  now?: () => number
}): AwsCloud {
  const { accessKey, secretKey, region, isPublic = false, now = Date.now } = options
  const service = isPublic ? 'ecr-public' : 'ecr'
  const target = isPublic ? 'SpencerFrontendService' : 'AmazonEC2ContainerRegistry_V20150921'
  const cloud: AwsCloud = Object.assign(startCloud(answer), {
    repositories: new Set<string>(),
    passwords: [],
    throttled: 0,
    hasExpired: false,
    forbidden: new Set<string>(),
    pageSize: 1000,
  })
  return cloud

  function answer(seen: Seen): Response {
    if (seen.method !== 'POST' || seen.target !== '/')
      return refuse('UnknownOperationException', '')
    const problem = problemOfSignature(seen)
    if (problem) return problem
    if (cloud.throttled > 0) {
      cloud.throttled -= 1
      return refuse('ThrottlingException', 'Rate exceeded')
    }
    const [prefix, action = ''] = (seen.headers.get('x-amz-target') ?? '').split('.')
    if (prefix !== target) return refuse('UnknownOperationException', '')
    if (seen.headers.get('content-type') !== 'application/x-amz-json-1.1') {
      return refuse('SerializationException', '')
    }
    if (cloud.forbidden.has(action)) {
      return refuse('AccessDeniedException', `not authorized to perform: ${service}:${action}`)
    }
    const input = JSON.parse(seen.body)
    if (action === 'GetAuthorizationToken') return giveToken()
    if (action === 'DescribeRepositories') return describe(input)
    if (action === 'CreateRepository') return create(input)
    return refuse('UnknownOperationException', '')
  }

  function giveToken(): Response {
    const password = randomBytes(24).toString('base64url')
    cloud.passwords.push(password)
    const data = {
      authorizationToken: Buffer.from(`AWS:${password}`).toString('base64'),
      expiresAt: now() / 1000 + TOKEN_LIFE_S,
      ...(isPublic ? {} : { proxyEndpoint: 'https://registry.example' }),
    }
    return Response.json({ authorizationData: isPublic ? data : [data] })
  }

  function describe(input: {
    repositoryNames?: string[]
    maxResults?: number
    nextToken?: string
    registryId?: string
  }): Response {
    if ((input.maxResults ?? 1) > 1000) return refuse('InvalidParameterException', 'maxResults')
    const all = [...cloud.repositories].sort()
    if (input.repositoryNames) {
      const missing = input.repositoryNames.find((name) => !cloud.repositories.has(name))
      if (missing !== undefined) {
        return refuse('RepositoryNotFoundException', `The repository with name '${missing}'`)
      }
      return Response.json({ repositories: input.repositoryNames.map(show) })
    }
    const start = input.nextToken === undefined ? 0 : Number(atob(input.nextToken))
    const end = start + Math.min(cloud.pageSize, input.maxResults ?? 100)
    return Response.json({
      repositories: all.slice(start, end).map(show),
      ...(end < all.length ? { nextToken: btoa(`${end}`) } : {}),
    })
  }

  function create({ repositoryName = '' }: { repositoryName?: string }): Response {
    if (cloud.repositories.has(repositoryName)) {
      return refuse('RepositoryAlreadyExistsException', 'it exists')
    }
    cloud.repositories.add(repositoryName)
    return Response.json({ repository: show(repositoryName) })
  }

  function show(name: string) {
    const host = isPublic ? 'public.ecr.aws/alias' : `123456789012.dkr.ecr.${region}.amazonaws.com`
    return { repositoryName: name, repositoryUri: `${host}/${name}` }
  }

  function problemOfSignature(seen: Seen): Response | undefined {
    const parts = authorizationParts(seen)
    const [key, day = '', ...scope] = (parts.Credential ?? '').split('/')
    const signed = parts.SignedHeaders ?? ''
    const time = seen.headers.get('x-amz-date') ?? ''
    if (parts.algorithm !== 'AWS4-HMAC-SHA256') return refuse('MissingAuthenticationToken', '')
    if (key !== accessKey) {
      return refuse(
        'UnrecognizedClientException',
        'The security token included in the request is invalid.',
      )
    }
    if (cloud.hasExpired) {
      return refuse('ExpiredTokenException', 'The security token included is expired')
    }
    const iso = time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z')
    if (!(Math.abs(Date.parse(iso) - now()) < SKEW_MS)) {
      return refuse('InvalidSignatureException', `Signature expired: ${time} is now earlier`)
    }
    const needed = ['host', 'x-amz-date', 'x-amz-target']
    const isWhole = needed.every((name) => signed.split(';').includes(name))
    const canonical = [
      seen.method,
      seen.path,
      sortedQuery(seen),
      headerLines(seen, signed),
      signed,
      sha256Hex(seen.body),
    ].join('\n')
    const text = `AWS4-HMAC-SHA256\n${time}\n${day}/${region}/${service}/aws4_request\n${sha256Hex(canonical)}`
    let signing: Buffer = hmacOf(`AWS4${secretKey}`, day)
    for (const part of [region, service, 'aws4_request']) signing = hmacOf(signing, part)
    const isRight =
      isWhole &&
      scope.join('/') === `${region}/${service}/aws4_request` &&
      parts.Signature === hmacOf(signing, text).toString('hex')
    if (isRight) return undefined
    const message = 'The request signature we calculated does not match the signature you provided.'
    return refuse('InvalidSignatureException', message)
  }
}

function refuse(type: string, message: string): Response {
  return Response.json({ __type: type, message }, { status: 400 })
}

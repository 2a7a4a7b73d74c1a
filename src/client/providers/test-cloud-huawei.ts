import { type Seen, startCloud, type TestCloud } from './test-cloud.ts'
import {
  authorizationParts,
  headerLines,
  hmacOf,
  sha256Hex,
  sortedQuery,
} from './test-signature.ts'

const SKEW_MS = 15 * 60_000

export interface HuaweiCloud extends TestCloud {
  organisations: Set<string>
  /** Of other accounts: neither seen nor to be had. */
  taken: Set<string>
  /** `organisation/name` */
  repositories: Set<string>
  throttled: number
  /** Who may only push. */
  isBlind: boolean
}

/** The API of SWR behind the API gateway, which verifies SDK-HMAC-SHA256. */
export function startHuawei(options: {
  accessKey: string
  secretKey: string
  now?: () => number
}): HuaweiCloud {
  const { accessKey, secretKey, now = Date.now } = options
  const cloud: HuaweiCloud = Object.assign(startCloud(answer), {
    organisations: new Set<string>(),
    taken: new Set<string>(),
    repositories: new Set<string>(),
    throttled: 0,
    isBlind: false,
  })
  return cloud

  function answer(seen: Seen): Response {
    const problem = problemOfSignature(seen)
    if (problem) return problem
    if (cloud.throttled > 0) {
      cloud.throttled -= 1
      const text = 'The throttling threshold has been reached: policy user over ratelimit'
      return gateway(429, 'APIG.0308', text, { 'retry-after': '7' })
    }
    if (cloud.isBlind) return refuse(403, 'SVCSTG.SWR.4030170', 'Insufficient permissions')
    const route = `${seen.method} ${seen.path}`
    if (route === 'GET /v2/manage/repos') return list(seen.query)
    if (route === 'GET /v2/manage/namespaces') {
      const wanted = seen.query.get('namespace') ?? ''
      const found = [...cloud.organisations].filter((name) => name.includes(wanted))
      return Response.json({ namespaces: found.map((name) => ({ id: 1, name, auth: 7 })) })
    }
    if (route === 'POST /v2/manage/namespaces') {
      const { namespace } = JSON.parse(seen.body)
      if (cloud.organisations.has(namespace) || cloud.taken.has(namespace)) {
        return refuse(409, 'SVCSTG.SWR.4090101', 'namespace already exists')
      }
      cloud.organisations.add(namespace)
      return new Response('{}', { status: 201 })
    }
    return gateway(404, 'APIG.0101', 'The API does not exist or has not been published.')
  }

  function list(query: URLSearchParams): Response {
    const [limit, offset] = [Number(query.get('limit')), Number(query.get('offset'))]
    if (limit > 1000) return refuse(400, 'SVCSTG.SWR.4000014', 'Invalid param')
    const organisation = query.get('namespace')
    const all = [...cloud.repositories]
      .filter((name) => organisation === null || name.startsWith(`${organisation}/`))
      .sort()
    const page = all.slice(offset, offset + limit).map((full) => {
      const slash = full.indexOf('/')
      return { namespace: full.slice(0, slash), name: full.slice(slash + 1), tags: ['latest'] }
    })
    const range = `${offset}-${page.length}/${all.length}`
    return Response.json(page, { headers: { 'content-range': range } })
  }

  function problemOfSignature(seen: Seen): Response | undefined {
    const { algorithm, Access, SignedHeaders = '', Signature } = authorizationParts(seen)
    if (algorithm !== 'SDK-HMAC-SHA256' || Access !== accessKey) {
      const text = 'Incorrect IAM authentication information: verify aksk signature fail'
      return gateway(401, 'APIG.0301', text)
    }
    const date = seen.headers.get('x-sdk-date') ?? ''
    const iso = date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z')
    if (!(Math.abs(Date.parse(iso) - now()) < SKEW_MS)) {
      const text =
        'Incorrect IAM authentication information: AK access failed to reach the limit,x-sdk-date expired'
      return gateway(401, 'APIG.0301', text)
    }
    const path = seen.path.endsWith('/') ? seen.path : `${seen.path}/`
    const canonical = `${seen.method}\n${path}\n${sortedQuery(seen)}\n${headerLines(seen, SignedHeaders)}\n${SignedHeaders}\n${sha256Hex(seen.body)}`
    const text = `SDK-HMAC-SHA256\n${date}\n${sha256Hex(canonical)}`
    const names = SignedHeaders.split(';')
    const isRight =
      names.includes('host') &&
      names.includes('x-sdk-date') &&
      Signature === hmacOf(secretKey, text).toString('hex')
    if (isRight) return undefined
    const said = 'Incorrect IAM authentication information: verify aksk signature fail'
    return gateway(401, 'APIG.0301', said)
  }
}

function gateway(
  status: number,
  error_code: string,
  error_msg: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ error_code, error_msg, request_id: 'a request' }, { status, headers })
}

function refuse(status: number, errorCode: string, errorMessage: string): Response {
  return Response.json({ errors: [{ errorCode, errorMessage }] }, { status })
}

import type { WireResponse } from './test-wire.ts'

/*
 * What every answer of /v2 must be like, whatever was asked: checked on each answer of each test.
 */

/** The codes of distribution-spec, and what all clients take for "try again". */
const CODES = [
  'BLOB_UNKNOWN',
  'BLOB_UPLOAD_INVALID',
  'BLOB_UPLOAD_UNKNOWN',
  'DENIED',
  'DIGEST_INVALID',
  'MANIFEST_BLOB_UNKNOWN',
  'MANIFEST_INVALID',
  'MANIFEST_UNKNOWN',
  'NAME_INVALID',
  'NAME_UNKNOWN',
  'SIZE_INVALID',
  'TOOMANYREQUESTS',
  'UNAUTHORIZED',
  'UNSUPPORTED',
  'UNAVAILABLE',
]

/** What is wrong with the form of an answer; empty: nothing. */
export function formProblems(method: string, answer: WireResponse): string[] {
  const { status } = answer
  const problems: string[] = []
  const demand = (good: boolean, what: string) => {
    if (!good) problems.push(what)
  }
  const type = answer.header('content-type') ?? ''
  demand(status < 500, `status ${status}`)
  demand(answer.header('docker-distribution-api-version') === 'registry/2.0', 'no version header')
  demand(answer.header('x-content-type-options') === 'nosniff', 'a browser may guess the type')
  demand(answer.header('content-security-policy')?.includes('sandbox') === true, 'no sandbox')
  demand(answer.header('content-encoding') === undefined, 'Content-Encoding')
  demand(answer.header('set-cookie') === undefined, 'Set-Cookie')
  demand(!type.includes('charset'), `Content-Type ${type}`)
  if (status === 204 || status === 304) {
    // RFC 9110 section 8.6: 204 has none; that of a 304 would have to be the one of a 200.
    demand(answer.header('content-length') === undefined, `Content-Length on ${status}`)
  } else {
    demand(answer.exactLength, 'no exact Content-Length')
  }
  for (const name of ['location', 'link']) {
    const value = answer.header(name)
    demand(value === undefined || /^<?\/v2\//.test(value), `${name} ${value} is not path-absolute`)
  }
  if (status < 400) return problems
  demand(type === 'application/json', `Content-Type of an error is ${type}`)
  if (method !== 'HEAD') problems.push(...errorProblems(answer))
  const challenged = answer.header('www-authenticate') !== undefined
  demand(challenged === (status === 401), `${status} with challenge: ${challenged}`)
  if (status === 429) demand(answer.header('retry-after') !== undefined, '429 without Retry-After')
  if (status === 405) demand(answer.header('allow') !== undefined, '405 without Allow')
  return problems
}

function errorProblems(answer: WireResponse): string[] {
  let body: unknown
  try {
    body = answer.json()
  } catch {
    return [`the body of an error is no JSON: ${answer.text().slice(0, 200)}`]
  }
  const errors = (body as { errors?: unknown }).errors
  if (!Array.isArray(errors) || errors.length === 0) return ['an error without errors']
  return errors.flatMap(({ code, message }) => [
    ...(CODES.includes(code) ? [] : [`the code ${code}`]),
    ...(typeof message === 'string' && message.length > 0 ? [] : ['an error without a message']),
  ])
}

/** The first error of an answer. */
export function errorOf(answer: WireResponse): { code: string; message: string; detail: unknown } {
  const [first] = answer.json<{ errors: { code: string; message: string; detail: unknown }[] }>()
    .errors
  if (!first) throw new Error('an error without errors')
  return first
}

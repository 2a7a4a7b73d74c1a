import type { z } from 'zod'
import { AppError, type ErrorCode, isAppError } from '../../lib/errors.ts'
import { readBody } from '../../lib/guarded-fetch-body.ts'
import { redactText } from '../../lib/redact.ts'
import type { ProviderContext } from '../provider.ts'
import { parseRetryAfter } from '../rate-limit.ts'
import { type AnswerProblem, remoteFault } from '../remote-error.ts'

/** A page of 1,000 repositories with all that vendors tell of them. */
const BODY_LIMIT = 8 * 1024 * 1024
/** What of a refusal is shown. */
const SAID_LIMIT = 300
const LIMITS = { answer: 30_000, idle: 30_000, total: 120_000 }
/** The key is good, but not for this. */
const NOT_ALLOWED = /AccessDenied|Forbidden|NoPermission|UnauthorizedOperation|^SVCSTG/

export interface ApiCall {
  /** Whom the message names: "Docker Hub", "Harbor at harbor.example.com". */
  registry: string
  /** What was wanted, after "refused to": "log in", "list repositories". */
  purpose: string
  url: string
  method?: string
  headers?: Record<string, string>
  body?: string
  /** True for a vendor's API that is not at the registry's address. */
  isVendorApi?: boolean
  /** What to do when the keys are refused. */
  advice?: string
  /** Reads a vendor's own form of errors; undefined: not one. */
  readRefusal?: (body: unknown) => Said | undefined
}

/** What a vendor says of a failure. */
export interface Said {
  /** The vendor's code, such as `AuthFailure.SignatureFailure`. */
  code: string
  message: string
  kind: 'denied' | 'throttled' | 'absent' | 'invalid' | 'redirect' | 'unavailable'
  advice?: string
}

export interface ApiAnswer {
  status: number
  headers: Headers
  text: string
}

/**
 * Any answer, with at most 8 MiB of body. Redirects are not followed.
 * @throws AppError of the fetch, or `remote_error`
 */
export async function callApi(context: ProviderContext, call: ApiCall): Promise<ApiAnswer> {
  const fetch = call.isVendorApi ? (context.apiFetch ?? context.fetch) : context.fetch
  const response = await fetch(call.url, {
    method: call.method ?? 'GET',
    headers: { accept: 'application/json', ...call.headers },
    ...(call.body === undefined ? {} : { body: call.body }),
    signal: context.signal,
    limits: LIMITS,
  })
  const { status, headers } = response
  try {
    const text = new TextDecoder().decode(await readBody(response, BODY_LIMIT))
    return { status, headers, text }
  } catch (error) {
    if (!isAppError(error, 'remote_error')) throw error
    const message = `${call.registry} did not answer the request to ${call.purpose} as its API is documented: ${error.message}`
    throw new AppError('remote_error', message, error.details)
  }
}

/** The body of a 2xx answer in the form of `schema`. @throws AppError for every other answer */
export async function callJson<T>(
  context: ProviderContext,
  call: ApiCall,
  schema: z.ZodType<T>,
): Promise<{ value: T; headers: Headers }> {
  const answer = await callApi(context, call)
  if (answer.status < 200 || answer.status > 299) throw refusalOf(context, call, answer)
  const body = parseJson(answer.text)
  const said = call.readRefusal?.(body)
  if (said) throw refusalOf(context, call, answer, said)
  const parsed = schema.safeParse(body)
  if (parsed.success) return { value: parsed.data, headers: answer.headers }
  const message = `${call.registry} answered the request to ${call.purpose} with ${answer.status}, but not as its API is documented; check the address`
  throw remoteFault('answer', message)
}

/** What a refusal means, in the words of the one who refused. */
export function refusalOf(
  context: ProviderContext,
  call: ApiCall,
  answer: ApiAnswer,
  given?: Said,
): AppError {
  const { status, headers } = answer
  const said = given ?? call.readRefusal?.(parseJson(answer.text)) ?? saidPlainly(answer)
  const kind = status === 429 ? 'throttled' : status >= 500 ? 'unavailable' : said.kind
  const quoted = cleanText(context, call, [said.code, said.message].filter(Boolean).join(': '))
  const about = quoted === '' ? `${status}` : quoted
  const wait = kind === 'throttled' ? parseRetryAfter(headers, context.clock.now()) : undefined
  const retryAfter = wait === undefined ? undefined : Math.max(1, Math.ceil(wait / 1000))
  const advice = said.advice ?? call.advice ?? 'check the user and the secret of this registry'
  const { registry, purpose } = call
  const meaning: Record<Said['kind'], [ErrorCode, AnswerProblem, string]> = {
    denied: [
      'remote_denied',
      NOT_ALLOWED.test(said.code) || (status === 403 && given === undefined)
        ? 'permission'
        : 'login',
      `${registry} refuses to ${purpose} (${about}); ${advice}`,
    ],
    throttled: [
      'rate_limited',
      'overloaded',
      `${registry} takes no more requests for now (${about}); try again ${
        retryAfter === undefined ? 'later' : `in ${retryAfter} seconds`
      }`,
    ],
    absent: [
      'not_found',
      'absent',
      `${registry} does not know what is needed to ${purpose} (${about})`,
    ],
    invalid: ['remote_error', 'rejected', `${registry} refuses to ${purpose} (${about})`],
    redirect: [
      'remote_error',
      'redirect',
      `${registry} answers the request to ${purpose} from somewhere else (${status}); check the address`,
    ],
    unavailable: ['remote_error', 'server', `${registry} failed to ${purpose} (${about})`],
  }
  const [code, problem, message] = meaning[kind]
  return new AppError(code, message, {
    problem,
    status,
    remoteCodes: [said.code],
    ...(retryAfter === undefined ? {} : { retryAfter }),
  })
}

/** True for a refusal with a code of the vendor's own that matches. */
export function isRefusal(error: unknown, code: RegExp): boolean {
  const codes = isAppError(error) ? error.details.remoteCodes : undefined
  return Array.isArray(codes) && codes.some((each) => code.test(String(each)))
}

/** True for a refusal with this status. */
export function isStatus(error: unknown, status: number): boolean {
  return isAppError(error) && error.details.status === status
}

/** undefined for what is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The forms that most registries share; else the status alone. */
function saidPlainly({ status, text }: ApiAnswer): Said {
  const kind = kindOf(status)
  const body = parseJson(text)
  const first = isRecord(body) && Array.isArray(body.errors) ? body.errors[0] : undefined
  const place = isRecord(first) ? first : isRecord(body) ? body : {}
  const error = isRecord(place.error) ? place.error : {}
  const message = [
    place.message,
    place.detail,
    place.error_description,
    error.message,
    place.error,
  ].find((value) => typeof value === 'string')
  const code = typeof place.code === 'string' ? place.code : `${status}`
  return { code, message: typeof message === 'string' ? message : '', kind }
}

function kindOf(status: number): Said['kind'] {
  if (status === 401 || status === 403) return 'denied'
  if (status === 404) return 'absent'
  return status >= 300 && status < 400 ? 'redirect' : 'invalid'
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** One short line without what was sent in confidence, should the vendor repeat it. */
function cleanText(context: ProviderContext, call: ApiCall, text: string): string {
  const sent = [call.headers?.authorization, call.headers?.['private-token']]
  const secrets = [
    context.endpoint.secretKey,
    ...sent.flatMap((header) => header?.split(/[\s,=]+/) ?? []).filter((part) => part.length > 15),
  ].filter((secret) => secret !== undefined && secret.length > 3)
  let clean = text
  for (const secret of secrets) clean = clean.replaceAll(secret, '…')
  // Control characters and what reorders a line have no place in a log or a terminal.
  clean = redactText(clean).replace(/[\p{C}\s]+/gu, ' ')
  const line = clean.trim()
  return line.length > SAID_LIMIT ? `${line.slice(0, SAID_LIMIT)}…` : line
}

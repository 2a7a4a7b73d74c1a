import type { z } from 'zod'
import { AppError, type ErrorCode, isAppError } from '../../lib/errors.ts'
import { redactText } from '../../lib/redact.ts'
import type { ProviderContext } from '../provider.ts'

/** A page of 1,000 repositories with all that vendors tell of them. */
const BODY_LIMIT = 8 * 1024 * 1024
/** What of a refusal is shown. */
const SAID_LIMIT = 300

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
  kind: 'denied' | 'throttled' | 'absent' | 'invalid' | 'unavailable'
  advice?: string
}

export interface ApiAnswer {
  status: number
  headers: Headers
  text: string
}

/** Any answer, with at most 8 MiB of body. @throws AppError `unavailable` when none comes */
export async function callApi(context: ProviderContext, call: ApiCall): Promise<ApiAnswer> {
  const fetch = call.isVendorApi ? (context.apiFetch ?? context.fetch) : context.fetch
  try {
    const response = await fetch(call.url, {
      method: call.method ?? 'GET',
      headers: { accept: 'application/json', ...call.headers },
      ...(call.body === undefined ? {} : { body: call.body }),
      signal: context.signal,
    })
    const text = await readText(response, call)
    return { status: response.status, headers: response.headers, text }
  } catch (error) {
    if (isAppError(error) || context.signal?.aborted) throw error
    const why = error instanceof Error ? error.message : String(error)
    const message = `${call.registry} cannot be reached at ${hostOf(call.url)}: ${cleanText(context, call, why)}`
    throw new AppError('unavailable', message, {}, error)
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
  const said = call.readRefusal?.(parseJson(answer.text))
  if (said) throw refusalOf(context, call, answer, said)
  const parsed = schema.safeParse(parseJson(answer.text))
  if (parsed.success) return { value: parsed.data, headers: answer.headers }
  const message = `${call.registry} answered ${answer.status} to the request to ${call.purpose}, but not as its API is documented; check the address`
  throw new AppError('unavailable', message)
}

/** What a refusal means, in the words of the one who refused. */
export function refusalOf(
  context: ProviderContext,
  call: ApiCall,
  answer: ApiAnswer,
  given?: Said,
): AppError {
  const said = given ?? call.readRefusal?.(parseJson(answer.text)) ?? saidPlainly(answer)
  const kind = kindOfStatus(answer.status) ?? said.kind
  const quoted = cleanText(context, call, [said.code, said.message].filter(Boolean).join(': '))
  const about = quoted === '' ? `${answer.status}` : quoted
  const details = { vendorCode: said.code, vendorStatus: answer.status }
  const advice = said.advice ?? call.advice ?? 'check the user and the secret of this registry'
  if (kind === 'throttled') {
    const seconds = retryAfterOf(answer.headers, context.clock.now())
    const message = `${call.registry} takes no more requests for now (${about}); ${
      seconds === undefined ? 'try again later' : `try again in ${seconds} seconds`
    }`
    const wait = seconds === undefined ? {} : { retryAfter: seconds }
    return new AppError('rate_limited', message, { ...details, ...wait })
  }
  const whatToDo: Record<Exclude<Said['kind'], 'throttled'>, [ErrorCode, string]> = {
    denied: ['denied', `; ${advice}`],
    absent: ['not_found', said.advice ? `; ${said.advice}` : ''],
    invalid: ['invalid_input', said.advice ? `; ${said.advice}` : ''],
    unavailable: ['unavailable', '; try again later'],
  }
  const [code, ending] = whatToDo[kind]
  const verb = kind === 'unavailable' ? 'could not' : 'refused to'
  return new AppError(code, `${call.registry} ${verb} ${call.purpose} (${about})${ending}`, details)
}

/** True for a refusal whose code of the vendor's own matches. */
export function isRefusal(error: unknown, code: RegExp): boolean {
  const vendorCode = isAppError(error) ? error.details.vendorCode : undefined
  return typeof vendorCode === 'string' && code.test(vendorCode)
}

/** undefined for what is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whole seconds from `Retry-After` (RFC 9110, 10.2.3) or Docker Hub's `X-Retry-After` (a time). */
function retryAfterOf(headers: Headers, now: number): number | undefined {
  const untilTime = Number(headers.get('x-retry-after') ?? Number.NaN)
  if (Number.isFinite(untilTime)) return Math.max(1, Math.ceil(untilTime - now / 1000))
  const text = headers.get('retry-after')?.trim()
  if (!text) return undefined
  if (/^\d{1,9}$/.test(text)) return Math.max(1, Number(text))
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(1, Math.ceil((date - now) / 1000))
}

function kindOfStatus(status: number): Said['kind'] | undefined {
  if (status === 429) return 'throttled'
  if (status === 401 || status === 403) return undefined
  return status >= 500 ? 'unavailable' : undefined
}

/** The forms that most registries share; else the status alone. */
function saidPlainly({ status, text }: ApiAnswer): Said {
  const kind =
    status === 401 || status === 403
      ? 'denied'
      : status === 404
        ? 'absent'
        : status >= 300 && status < 400
          ? 'unavailable'
          : status >= 500
            ? 'unavailable'
            : 'invalid'
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

async function readText(response: Response, call: ApiCall): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > BODY_LIMIT) {
      const message = `${call.registry} answered the request to ${call.purpose} with more than ${BODY_LIMIT / 1024 / 1024} MiB; check the address`
      throw new AppError('unavailable', message)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url
}

import { AppError, type ErrorCode, isAppError } from '../lib/errors.ts'
import { readBody } from '../lib/guarded-fetch-body.ts'
import { because, type Reason, type Reasons, type Says } from '../lib/reasons.ts'
import { redactText } from '../lib/redact.ts'
import type { Login } from './provider.ts'
import { parseRetryAfter } from './rate-limit.ts'

/** `details.problem` of what a registry answered; `RemoteProblem` has those of the connection. */
export type AnswerProblem =
  | 'anonymous'
  | 'login'
  | 'permission'
  | 'realm'
  | 'absent'
  | 'unsupported'
  | 'rejected'
  | 'server'
  | 'overloaded'
  | 'paused'
  | 'answer'
  | 'digest'
  | 'size'
  | 'too_large'
  | 'redirect'
  | 'loop'

const ERROR_BODY_LIMIT = 64 * 1024
const MOST_SHOWN = 300
/** Shorter ones would cut up every sentence, and so tell themselves. */
const LEAST_HIDDEN = 4
const CONTROL_CHARACTERS = /[\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu
/** Passes by itself. 500 is also said for lasting faults, but nobody can tell. */
const TEMPORARY = [408, 500, 502, 503, 504]
const TEMPORARY_CONNECTION = ['timeout', 'closed', 'refused', 'unreachable', 'name', 'paused']

const FAULTS = {
  anonymous: 'remote_answer_wrong',
  login: 'remote_answer_wrong',
  permission: 'remote_answer_wrong',
  realm: 'remote_other_login_server',
  absent: 'remote_not_offered',
  unsupported: 'remote_not_offered',
  rejected: 'remote_answer_wrong',
  server: 'remote_answer_wrong',
  overloaded: 'remote_answer_wrong',
  paused: 'remote_answer_wrong',
  answer: 'remote_answer_wrong',
  digest: 'remote_content_wrong',
  size: 'remote_content_wrong',
  too_large: 'remote_answer_wrong',
  redirect: 'remote_answer_wrong',
  loop: 'remote_answer_wrong',
} as const satisfies Record<AnswerProblem, Reason>

/** An answer that does not fit, or content that is not what was promised. */
export function remoteFault(problem: AnswerProblem, message: string): AppError {
  return new AppError('remote_error', message, { problem, ...because(FAULTS[problem], {}) })
}

/**
 * What a registry's refusal means. Its body is read and closed.
 *
 * @param sent what it was told in confidence, which is cut out of its words should it repeat that
 * @param doing completes "registry.example.com refuses to …": `read the manifest a/b:1`
 */
export async function toRemoteError(
  response: Response,
  {
    host,
    doing,
    isAnonymous,
    hasToken = false,
    sent = [],
    now,
  }: {
    host: string
    doing: string
    isAnonymous: boolean
    hasToken?: boolean
    sent?: readonly string[]
    now: number
  },
): Promise<AppError> {
  const { status } = response
  const said = await readErrors(response, sent)
  const retryAfter = parseRetryAfter(response.headers, now)
  const [code, problem, sentence] = judge(status, isAnonymous, hasToken)
  const words = said.text === '' ? '' : `: ${said.text}`
  return new AppError(code, `${host} ${sentence.replace('…', doing)} (${status})${words}`, {
    problem,
    registry: host,
    status,
    reason: reasonOf(problem, status, { host, ...(said.text === '' ? {} : { said: said.text }) }),
    ...(said.codes.length > 0 ? { remoteCodes: said.codes } : {}),
    ...(retryAfter === undefined ? {} : { retryAfter: Math.ceil(retryAfter / 1000) }),
  })
}

/** True when the same request may well succeed a little later. */
export function isWorthRetrying(error: unknown): boolean {
  if (!isAppError(error)) return false
  const { problem } = error.details
  if (error.code === 'rate_limited') return true
  if (error.code === 'remote_unreachable') return TEMPORARY_CONNECTION.includes(String(problem))
  return error.code === 'remote_error' && problem === 'server'
}

function judge(
  status: number,
  isAnonymous: boolean,
  hasToken: boolean,
): [ErrorCode, AnswerProblem, string] {
  if (status === 401 && isAnonymous) return ['remote_denied', 'anonymous', 'wants a login to …']
  // With a token the login itself was good.
  if (status === 401 && !hasToken) {
    return ['remote_denied', 'login', 'does not accept this login to …']
  }
  if (status === 401 || status === 403)
    return ['remote_denied', 'permission', 'does not let this account …']
  if (status === 404) return ['not_found', 'absent', 'does not know what is needed to …']
  if (status === 405 || status === 501) {
    return ['remote_error', 'unsupported', 'has no way to …']
  }
  if (status === 429) return ['rate_limited', 'overloaded', 'limits how often one may …']
  if (TEMPORARY.includes(status) || status > 504) {
    return ['remote_error', 'server', 'failed to …']
  }
  if (status === 413) return ['remote_error', 'too_large', 'finds it too large to …']
  return ['remote_error', 'rejected', 'refuses to …']
}

/** The same for the console. */
function reasonOf(problem: AnswerProblem, status: number, of: Reasons['remote_absent']): Says {
  if (problem === 'anonymous') return because('remote_wants_login', of).reason
  if (problem === 'login') return because('remote_login_refused', of).reason
  if (problem === 'permission') return because('remote_no_permission', of).reason
  if (problem === 'absent') return because('remote_absent', of).reason
  if (problem === 'unsupported') return because('remote_unsupported', of).reason
  if (problem === 'overloaded') return because('remote_limits', of).reason
  if (problem === 'too_large') return because('remote_too_large', of).reason
  if (problem === 'server') return because('remote_failed', { ...of, status }).reason
  return because('remote_rejects', { ...of, status }).reason
}

/** The errors of distribution-spec, or of those who write them a little differently. */
async function readErrors(
  response: Response,
  sent: readonly string[],
): Promise<{ text: string; codes: string[] }> {
  try {
    const bytes = await readBody(response, ERROR_BODY_LIMIT)
    const body: unknown = JSON.parse(new TextDecoder().decode(bytes))
    const list = isObject(body) && Array.isArray(body.errors) ? body.errors : [body]
    const errors = list.filter(isObject).map(({ code, message, details }) => ({
      code: shown(code, 60, sent),
      message: shown(message ?? details, MOST_SHOWN, sent),
    }))
    const texts = errors.map(({ code, message }) => [code, message].filter(Boolean).join(': '))
    return {
      text: texts.filter(Boolean).join('; ').slice(0, MOST_SHOWN),
      codes: errors.map(({ code }) => code).filter((code) => /^[A-Z][A-Z_]+$/.test(code)),
    }
  } catch {
    return { text: '', codes: [] }
  }
}

/** What a login and a token look like in a request, and in words about it. */
export function confidential(login: Login | undefined, token?: string): string[] {
  const { username, password, refreshToken } = login ?? {}
  const pair = password ? Buffer.from(`${username}:${password}`).toString('base64') : undefined
  // Longest first: a part of one may be another.
  return [password, password && encodeURIComponent(password), pair, refreshToken, token]
    .flatMap((text) => (text !== undefined && text.length >= LEAST_HIDDEN ? [text] : []))
    .sort((a, b) => b.length - a.length)
}

/** A stranger's words end up in terminals and logs, and before people who have no secrets. */
function shown(value: unknown, most: number, sent: readonly string[]): string {
  if (typeof value !== 'string') return ''
  let text = value
  for (const secret of sent) text = text.replaceAll(secret, '…')
  return redactText(text).replaceAll(CONTROL_CHARACTERS, ' ').trim().slice(0, most)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

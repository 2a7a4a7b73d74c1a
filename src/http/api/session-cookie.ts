import { anonymous, type Principal } from '../../accounts/principal.ts'
import type { OpenedSession, Sessions } from '../../accounts/sessions.ts'
import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type { Also } from '../../store/db/database.ts'
import type { RequestContext } from '../context.ts'

/*
 * The session of the console: a cookie that scripts cannot read, and for requests that change
 * something a header that other sites cannot send. Whoever sends `Authorization` needs neither.
 * The cookie is good for /api/v1 only; no other face looks at it.
 */

/** Its value follows from the session, and is told by `GET /session` to pages of our own only. */
const CSRF_HEADER = 'x-csrf-token'

/** The prefix makes browsers refuse it from other hosts and without TLS (RFC 6265bis, 4.1.3.2). */
const SECURE_NAME = '__Host-entrepot'
const PLAIN_NAME = 'entrepot'

const isSecure = ({ origin }: RequestContext): boolean => origin.startsWith('https:')
const nameFor = (context: RequestContext) => (isSecure(context) ? SECURE_NAME : PLAIN_NAME)

/** What the session cookie of the request holds; undefined: there is none. */
export function sessionTokenOf(context: RequestContext): string | undefined {
  const name = nameFor(context)
  for (const pair of (context.request.headers.get('cookie') ?? '').split(';')) {
    const [key = '', value] = pair.trim().split('=')
    if (key === name && value) return value
  }
  return undefined
}

/** A new session for who proved the password just now, with the `Set-Cookie` that starts it. */
export async function openSession(
  sessions: Sessions,
  principal: Principal,
  context: RequestContext,
  also?: Also,
): Promise<OpenedSession & { cookie: string }> {
  const { address, request } = context
  const userAgent = request.headers.get('user-agent') ?? ''
  const opened = await sessions.open(principal, { address, userAgent }, also)
  return { ...opened, cookie: sessionCookie(context, opened.token, opened.lifetimeSeconds) }
}

function sessionCookie(context: RequestContext, token: string, seconds: number): string {
  return `${nameFor(context)}=${token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${
    isSecure(context) ? '; Secure' : ''
  }`
}

/** `Set-Cookie` that takes the cookie away. */
export const noCookie = (context: RequestContext): string => sessionCookie(context, '', 0)

/**
 * Who sends this request without `Authorization`: the session's account, else anonymous.
 * @param leniently an ended session counts as none: for signing in and out
 * @throws AppError unauthenticated (the session ended), denied (it may come from another site)
 */
export async function identifySession(
  sessions: Sessions,
  context: RequestContext,
  leniently: boolean,
): Promise<Principal> {
  const token = sessionTokenOf(context)
  if (token === undefined) return anonymous
  const found = await sessions.use(token)
  if (!found) {
    if (leniently) return anonymous
    throw new AppError('unauthenticated', 'your session has ended; sign in again', {
      headers: { 'set-cookie': noCookie(context) },
      ...because('session_ended', {}),
    })
  }
  if (changes(context)) {
    demandSameOrigin(context)
    const given = context.request.headers.get(CSRF_HEADER) ?? ''
    if (!sessions.isCsrf(token, given)) {
      throw new AppError(
        'denied',
        'a change with a session cookie needs the csrfToken of GET /session in X-CSRF-Token',
        { field: 'X-CSRF-Token' },
      )
    }
  }
  return found.principal
}

/**
 * Browsers say where a request comes from; what says nothing is no browser of today. Only hosts
 * are compared: behind a proxy that ends TLS we may not know the scheme.
 * @throws AppError denied
 */
export function demandSameOrigin(context: RequestContext): void {
  const { headers } = context.request
  const site = headers.get('sec-fetch-site')
  const origin = headers.get('origin')
  const isOurs =
    site === null
      ? origin === null || hostOf(origin) === hostOf(context.origin)
      : site === 'same-origin' || site === 'none'
  if (isOurs) return
  throw new AppError('denied', 'this request comes from a page of another site')
}

/** The challenge of 401: one that makes browsers ask for a password would cover our own form. */
export function challengeFor({ request }: RequestContext): string {
  return request.headers.has(CSRF_HEADER) ? 'Session realm="entrepot"' : 'Basic realm="entrepot"'
}

function changes({ method }: RequestContext): boolean {
  return method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS'
}

function hostOf(origin: string): string {
  return origin.slice(origin.indexOf('://') + 3).toLowerCase()
}

import type { Clock } from '../lib/clock.ts'
import { AppError, isAppError } from '../lib/errors.ts'
import type { FetchLimits, GuardedFetch, GuardedRequest } from '../lib/guarded-fetch.ts'
import { followRedirects, isRedirect } from '../lib/guarded-fetch-redirects.ts'
import type { Log } from '../lib/log.ts'
import type { Authorization, Grant } from './authorization.ts'
import type { Observed } from './client-memory.ts'
import { parseRateBudget, parseRetryAfter } from './rate-limit.ts'
import { confidential, isWorthRetrying, remoteFault, toRemoteError } from './remote-error.ts'
import type { Throttle } from './throttle.ts'
import { abortable, type Sleep } from './waiting.ts'

export interface RemoteCall {
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
  /** Of the registry; `pathUrl` makes one. */
  url: URL
  /** Completes "registry.example.com failed to …". */
  doing: string
  scopes: readonly string[]
  /** Statuses that are given back; everything else is an error. */
  expect: readonly number[]
  headers?: Record<string, string>
  /** A stream is made when it is sent, and sent once. */
  body?: Uint8Array | (() => Promise<ReadableStream<Uint8Array>>)
  signal?: AbortSignal | undefined
  limits?: Partial<FetchLimits>
  /** False: sending it twice is not the same as once; the caller deals with failures. */
  isRepeatable?: boolean
}

export interface RemoteAnswer {
  response: Response
  /** Where it came from at last; what `Link` and `Location` are relative to. */
  url: URL
}

/** How long one goes on with a registry that fails. */
export interface Patience {
  tries: number
  /** Milliseconds; a registry that wants more is an error at once, with `details.retryAfter`. */
  longestWait: number
}

export interface Transport {
  host: string
  /** As of `Patience`. */
  longestWait: number
  /** `/v2/<path>` under the registry's base. */
  pathUrl(path: string, query?: Record<string, string>): URL
  /** @throws AppError with a sentence of what the registry said */
  send(call: RemoteCall): Promise<RemoteAnswer>
  /** Waits before try number `failures + 1`, or throws `error` when there is none. */
  backOff(error: unknown, failures: number, signal?: AbortSignal): Promise<void>
}

const FIRST_DELAY_MS = 500

/** Sends requests to one registry: with its login, within its limits, again where that helps. */
export function createTransport({
  base,
  fetch,
  authorization,
  throttle,
  observed,
  patience,
  clock,
  sleep,
  log,
}: {
  base: URL
  fetch: GuardedFetch
  authorization: Authorization
  throttle: Throttle
  observed: Observed
  patience: Patience
  clock: Clock
  sleep: Sleep
  log: Log
}): Transport {
  const { host } = base

  async function send(call: RemoteCall): Promise<RemoteAnswer> {
    const mayRepeat = call.isRepeatable ?? typeof call.body !== 'function'
    for (let failures = 0; ; ) {
      try {
        return await attempt(call)
      } catch (error) {
        if (!mayRepeat) throw error
        failures++
        await backOff(error, failures, call.signal)
        log.debug('asking a registry again', { registry: host, failures, error })
      }
    }
  }

  /** Once, and once more after a 401 that says what was missing. */
  async function attempt(call: RemoteCall): Promise<RemoteAnswer> {
    for (let isSecond = false; ; isSecond = true) {
      const grant = await abortable(authorization.grant(call.scopes), call.signal)
      const lane = typeof call.body === 'function' ? 'send' : 'ask'
      const answer = await throttle.run(lane, () => exchange(call, grant), {
        signal: call.signal,
        longestWait: patience.longestWait,
      })
      const { response } = answer
      if (response.status !== 401 || call.expect.includes(401)) return answer
      const isOver = isSecond || answer.url.origin !== base.origin
      const canRepeat = typeof call.body !== 'function'
      if (isOver || !(await authorization.learn(grant, response)) || !canRepeat) {
        throw await toError(answer, call, grant)
      }
      await response.body?.cancel()
    }
  }

  async function exchange(call: RemoteCall, grant: Grant): Promise<RemoteAnswer> {
    const body = typeof call.body === 'function' ? await call.body() : call.body
    const answer = await request(call, grant, body)
    const { response } = answer
    if (answer.url.origin === base.origin) observe(response)
    const isExpected = call.expect.includes(response.status)
    // A 401 is dealt with outside, where there is another try.
    if (isExpected || response.status === 401) return answer
    throw await toError(answer, call, grant)
  }

  async function request(
    { method, url, headers, signal, limits }: RemoteCall,
    grant: Grant,
    body: GuardedRequest['body'],
  ): Promise<RemoteAnswer> {
    const requestFor = (to: URL): GuardedRequest => ({
      method,
      // Nobody but the registry itself gets what is meant for it.
      headers: { ...headers, ...(to.origin === base.origin ? grant.headers : {}) },
      signal,
      ...(limits ? { limits } : {}),
      ...(body === undefined ? {} : { body }),
    })
    if (method === 'GET' || method === 'HEAD') return followRedirects(fetch, url, requestFor)
    const response = await fetch(url.href, requestFor(url))
    if (!isRedirect(response) || response.status === 304) return { response, url }
    await response.body?.cancel()
    throw remoteFault('redirect', `${url.host} redirects what is sent to it, which is not followed`)
  }

  function observe({ headers, status }: Response) {
    const now = clock()
    const budget = parseRateBudget(headers, now)
    if (budget) {
      observed.budget = budget
      throttle.heed(budget)
    }
    const date = Date.parse(headers.get('date') ?? '')
    if (!Number.isNaN(date)) observed.clockSkew = date - now
    const retryAfter = parseRetryAfter(headers, now)
    if (status === 429) throttle.slowDown(retryAfter)
    else if (status === 503 && retryAfter !== undefined) throttle.slowDown(retryAfter)
  }

  function toError({ response, url }: RemoteAnswer, call: RemoteCall, grant: Grant) {
    return toRemoteError(response, {
      host: url.host,
      doing: call.doing,
      isAnonymous: grant.login === undefined,
      hasToken: grant.token !== undefined,
      sent: confidential(grant.login, grant.token?.value.text),
      now: clock(),
    })
  }

  /** Exponential with full jitter, but as long as the registry wants where it says so. */
  async function backOff(error: unknown, failures: number, signal?: AbortSignal): Promise<void> {
    if (!isWorthRetrying(error) || failures >= patience.tries) throw error
    const { problem, retryAfter: asked } = isAppError(error) ? error.details : {}
    // It is left alone so that nobody waits for it.
    if (problem === 'paused') throw error
    const delay =
      asked === undefined
        ? Math.random() * Math.min(patience.longestWait, FIRST_DELAY_MS * 2 ** failures)
        : asked * 1000
    if (delay > patience.longestWait) throw error
    await sleep(delay, signal)
  }

  return {
    host,
    longestWait: patience.longestWait,
    pathUrl(path, query = {}) {
      const url = new URL(`v2/${safePath(path)}`, base)
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
      return url
    },
    send,
    backOff,
  }
}

/** A `..` in a name would leave the registry's path. */
function safePath(path: string): string {
  const parts = path.split('/')
  if (parts.some((part) => /^\.+$/.test(part))) {
    throw new AppError('name_invalid', 'the name of a repository cannot have "." or ".." in it')
  }
  return parts.map((part) => encodeURIComponent(part).replaceAll('%3A', ':')).join('/')
}

import { isIP } from 'node:net'
import { type Clock, systemClock } from './clock.ts'
import { AppError } from './errors.ts'
import { rangeList } from './guarded-fetch-address.ts'
import { isNeverArrived, toRemoteFailure } from './guarded-fetch-errors.ts'
import { createNames, type Resolve, type Target } from './guarded-fetch-names.ts'
import { createWatch, type Watch, watchedStream } from './guarded-fetch-watch.ts'

/** Sends a request to an address that a user gave; see `createGuardedFetch`. */
export type GuardedFetch = (url: string, options?: GuardedRequest) => Promise<Response>

export interface GuardedRequest {
  method?: string
  headers?: Record<string, string>
  /** A stream goes out with the `content-length` of the headers, else chunked. */
  body?: Uint8Array | string | ReadableStream<Uint8Array>
  signal?: AbortSignal | undefined
  /** `host:port`, also for default ports: may be asked although the address is a private one. */
  allowPrivate?: readonly string[] | undefined
  /** PEM; the only roots that are trusted. */
  caCertificate?: string | undefined
  /** False: the certificate is not looked at. */
  verifyTls?: boolean | undefined
  limits?: Partial<FetchLimits> | undefined
}

/** Milliseconds. */
export interface FetchLimits {
  /** To connect and to begin the answer after the whole request was sent. */
  answer: number
  /** Between two pieces of a body, in both directions. */
  idle: number
  /** Until the last byte of the answer. */
  total: number
}

const DEFAULT_LIMITS = { answer: 60_000, idle: 60_000, total: Number.POSITIVE_INFINITY }

interface GuardOptions {
  /** The setting `hub.allowedNetworks`: ranges that may be asked whatever they are. */
  allowedNetworks?: readonly string[]
  clock?: Clock
  /** Every address of a name; the system's resolver when left out. */
  resolve?: Resolve
}

/**
 * The one way out of the program to addresses that users give. Names are resolved here, judged, and
 * the connection goes to the address that was judged, so that no second answer of a name server
 * leads elsewhere. Redirects are answers: `followRedirects` follows them hop by hop. Nothing is
 * decompressed.
 *
 * Fails with `AppError` `address_refused`, `remote_unreachable` (with `details.problem`, see
 * `RemoteProblem`) or `invalid_input`, whose messages name the host and nothing else of the
 * address; and with the signal's reason, or the error of the body that was given.
 */
export function createGuardedFetch({
  allowedNetworks = [],
  clock = systemClock,
  resolve,
}: GuardOptions = {}): GuardedFetch {
  const names = createNames({ allowed: rangeList(allowedNetworks), clock, resolve })

  return async (url, request = {}) => {
    const target = parseTarget(url)
    const limits = { ...DEFAULT_LIMITS, ...request.limits }
    const watch = createWatch(target.host, limits.total, request.signal)
    const body = openBody(request.body, watch, limits)
    try {
      const addresses = await names.addressesOf(target, request.allowPrivate ?? [])
      for (let i = 0; ; i++) {
        try {
          watch.expect(limits.answer)
          const response = await send(target, addresses[i] ?? '', request, body(), watch)
          names.prefer(target, addresses[i] ?? '')
          return receive(response, request.method, target, watch, limits)
        } catch (error) {
          const mayTryNext = i + 1 < addresses.length && !body.isBegun() && isNeverArrived(error)
          if (!mayTryNext) throw error
        }
      }
    } catch (error) {
      watch.close()
      const failure =
        body.failure() ??
        watch.reason() ??
        toRemoteFailure(error, target.host, request.caCertificate)
      await body.cancel(failure)
      throw failure
    }
  }
}

function send(
  { url, hostname, host }: Target,
  address: string,
  { method = 'GET', headers = {}, caCertificate, verifyTls = true }: GuardedRequest,
  body: GuardedRequest['body'],
  { signal }: Watch,
): Promise<Response> {
  const pinned = new URL(url)
  pinned.hostname = isIP(address) === 6 ? `[${address}]` : address
  return fetch(pinned.href, {
    method,
    headers: { 'accept-encoding': 'identity', ...headers, host },
    redirect: 'manual',
    decompress: false,
    signal,
    ...(body === undefined ? {} : { body }),
    ...(url.protocol === 'http:'
      ? {}
      : {
          tls: {
            // A certificate for an IP address is compared with the address itself.
            ...(isIP(hostname) === 0 ? { serverName: hostname.replace(/\.$/, '') } : {}),
            ...(caCertificate === undefined ? {} : { ca: caCertificate }),
            rejectUnauthorized: verifyTls,
          },
        }),
  })
}

function receive(
  response: Response,
  method: string | undefined,
  { host }: Target,
  watch: Watch,
  { idle }: FetchLimits,
): Response {
  const { status, statusText, headers } = response
  const hasBody = response.body && method !== 'HEAD' && ![204, 205, 304].includes(status)
  if (!hasBody || !response.body) {
    watch.close()
    return new Response(null, { status, statusText, headers })
  }
  watch.rest()
  const reader = response.body.getReader()
  const body = watchedStream({
    read: async () => {
      watch.expect(idle)
      try {
        const { done, value } = await reader.read()
        if (done) watch.close()
        else watch.rest()
        return value
      } catch (error) {
        watch.close()
        throw watch.reason() ?? toRemoteFailure(error, host)
      }
    },
    cancel: (reason) => {
      watch.close()
      return reader.cancel(reason)
    },
  })
  return new Response(body, { status, statusText, headers })
}

/** What is sent; a stream may be begun again as long as nothing was taken of it. */
function openBody(body: GuardedRequest['body'], watch: Watch, limits: FetchLimits) {
  let isBegun = false
  let failure: unknown
  if (!(body instanceof ReadableStream)) {
    return Object.assign(() => body, {
      isBegun: () => false,
      failure: () => undefined,
      cancel: async () => {},
    })
  }
  const reader = body.getReader()
  const open = () =>
    watchedStream({
      read: async () => {
        isBegun = true
        // Whoever fills the stream has limits of its own.
        watch.rest()
        try {
          const { value } = await reader.read()
          watch.expect(value === undefined ? limits.answer : limits.idle)
          return value
        } catch (error) {
          failure = error
          throw error
        }
      },
      cancel: (reason) => reader.cancel(reason),
    })
  return Object.assign(open, {
    isBegun: () => isBegun,
    failure: () => failure,
    cancel: async (reason: unknown) => {
      await reader.cancel(reason).catch(() => {})
    },
  })
}

function parseTarget(text: string): Target {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.hostname === '') {
    throw new AppError('invalid_input', 'only http:// and https:// addresses can be asked')
  }
  if (url.username !== '' || url.password !== '') {
    throw new AppError('invalid_input', 'an address must not have a user name or password in it')
  }
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  return { url, hostname: url.hostname.replace(/^\[|\]$/g, ''), host: url.host, port }
}

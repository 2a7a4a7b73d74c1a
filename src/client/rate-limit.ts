/** What a registry said last of how much more it puts up with. */
export interface RateBudget {
  limit?: number
  remaining?: number
  /** The limit is for this many seconds. */
  window?: number
  /** Epoch milliseconds at which it is full again. */
  resetAt?: number
  /** Epoch milliseconds of the answer that said so. */
  seenAt: number
}

/**
 * Reads `RateLimit-Limit: 100;w=21600` and its kin: the drafts of the IETF, Docker Hub, and the
 * `X-` forms of GitHub, GitLab and Quay.
 */
export function parseRateBudget(headers: Headers, now: number): RateBudget | undefined {
  const combined = headers.get('ratelimit') ?? ''
  const limitText = either(headers, 'limit') ?? ''
  const limit = toNumber(limitText) ?? parameter(combined, 'limit') ?? parameter(combined, 'q')
  const remaining =
    toNumber(either(headers, 'remaining')) ??
    parameter(combined, 'remaining') ??
    parameter(combined, 'r')
  const reset =
    toNumber(either(headers, 'reset')) ?? parameter(combined, 'reset') ?? parameter(combined, 't')
  const window = parameter(limitText, 'w')
  if (limit === undefined && remaining === undefined) return undefined
  return {
    ...(limit === undefined ? {} : { limit }),
    ...(remaining === undefined ? {} : { remaining }),
    ...(window === undefined ? {} : { window }),
    ...(reset === undefined ? {} : { resetAt: toTime(reset, now) }),
    seenAt: now,
  }
}

/** Milliseconds to wait: seconds or a date (RFC 9110 section 10.2.3). */
export function parseRetryAfter(headers: Headers, now: number): number | undefined {
  const text = (headers.get('retry-after') ?? headers.get('x-retry-after') ?? '').trim()
  const number = toNumber(text)
  if (number !== undefined) return Math.max(0, toTime(number, now) - now)
  const date = text === '' ? Number.NaN : Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/** Seconds from now, or since 1970 where the number is that large (Docker Hub's API, GitHub). */
function toTime(value: number, now: number): number {
  return value > 1_000_000_000 ? value * 1000 : now + value * 1000
}

function either(headers: Headers, name: string): string | undefined {
  return headers.get(`ratelimit-${name}`) ?? headers.get(`x-ratelimit-${name}`) ?? undefined
}

function parameter(text: string, name: string): number | undefined {
  return toNumber(new RegExp(`(?:^|[;,\\s])${name}=(\\d+)`).exec(text)?.[1])
}

function toNumber(text: string | undefined): number | undefined {
  const digits = /^\s*(\d+(?:\.\d+)?)/.exec(text ?? '')?.[1]
  return digits === undefined ? undefined : Number(digits)
}

import { AppError } from './errors.ts'
import type { GuardedFetch, GuardedRequest } from './guarded-fetch.ts'

const MOST_HOPS = 5
const REDIRECTS = [301, 302, 303, 307, 308]

export function isRedirect(response: Response): boolean {
  return REDIRECTS.includes(response.status) && response.headers.has('location')
}

/**
 * Sends a request without a body and follows redirects, at most five. Every hop is asked for what
 * may be sent there, so that credentials stay with the one they belong to.
 *
 * @param requestFor the request to `url`; `isFirst` only for the address itself
 * @returns the last answer and where it came from
 * @throws AppError `remote_error` for too many hops, or one from https to http
 */
export async function followRedirects(
  fetch: GuardedFetch,
  start: URL,
  requestFor: (url: URL, isFirst: boolean) => GuardedRequest,
): Promise<{ response: Response; url: URL }> {
  let url = start
  for (let hop = 0; hop <= MOST_HOPS; hop++) {
    const response = await fetch(url.href, requestFor(url, hop === 0))
    if (!isRedirect(response)) return { response, url }
    await response.body?.cancel()
    url = nextHop(response, url)
  }
  throw broken(`${start.host} redirects in circles, or more than ${MOST_HOPS} times`)
}

function nextHop(response: Response, from: URL): URL {
  const location = response.headers.get('location') ?? ''
  const next = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined
  if (!next) throw broken(`${from.host} redirects to something that is no address`)
  if (from.protocol === 'https:' && next.protocol !== 'https:') {
    throw broken(`${from.host} redirects from https to ${next.protocol}//, which is not followed`)
  }
  return next
}

function broken(message: string): AppError {
  return new AppError('remote_error', message, { problem: 'redirect' })
}

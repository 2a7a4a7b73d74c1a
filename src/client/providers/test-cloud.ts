import type { ApiService, Endpoint, ProviderContext, ProviderName } from '../provider.ts'

/** What a local server saw, as it came over the wire. */
export interface Seen {
  method: string
  /** With the query, not decoded. */
  target: string
  path: string
  query: URLSearchParams
  headers: Headers
  body: string
}

export interface TestCloud {
  url: string
  /** Everything that was asked, in order. */
  seen: Seen[]
  stop(): Promise<void>
}

/** A local server that answers with `answer`, and fails its caller loudly when that throws. */
export function startCloud(answer: (seen: Seen) => Response | Promise<Response>): TestCloud {
  const seen: Seen[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const url = new URL(request.url)
      const entry = {
        method: request.method,
        target: url.pathname + url.search,
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body: await request.text(),
      }
      seen.push(entry)
      return answer(entry)
    },
    error: (error) => new Response(`the test's cloud broke: ${error.message}`, { status: 599 }),
  })
  return { url: `http://127.0.0.1:${server.port}`, seen, stop: () => server.stop(true) }
}

/** A context whose requests go to local servers, and nowhere else. */
export function contextOf(
  endpoint: Partial<Endpoint> & { provider: ProviderName; address: string },
  options: { apis?: Partial<Record<ApiService, string>>; now?: () => number } = {},
): ProviderContext {
  const { apis = {}, now = Date.now } = options
  return {
    endpoint: { accessKey: '', secretKey: '', verifyTls: true, ...endpoint },
    fetch: (url, request = {}) => {
      if (new URL(url).hostname !== '127.0.0.1') throw new Error(`the test would leave: ${url}`)
      const { method = 'GET', headers = {}, body, signal } = request
      return fetch(url, {
        method,
        headers,
        redirect: 'manual',
        ...(body === undefined ? {} : { body }),
        ...(signal ? { signal } : {}),
      })
    },
    clock: { now },
    apiUrl: (service) => apis[service],
  }
}

/** `names` by pages of `size`; `page` counts from 1. */
export function pageOf<T>(names: readonly T[], page: number, size: number): T[] {
  return names.slice((page - 1) * size, page * size)
}

/** Enough for three pages of 100. */
export function manyNames(prefix: string, count = 230): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${`${index}`.padStart(4, '0')}`)
}

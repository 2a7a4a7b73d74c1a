import { readJson } from '../lib/guarded-fetch-body.ts'
import { remoteFault } from './remote-error.ts'
import type { RemoteCall, Transport } from './transport.ts'

/** Millions of short names take a hundred times the memory of their text. */
const PAGE_LIMIT = 8 * 1024 * 1024
const MOST_PAGES = 10_000

interface PageCall extends Pick<RemoteCall, 'doing' | 'scopes' | 'signal'> {
  url: URL
  pageSize: number
  /** Statuses for what is not there, which is an empty list; any other is an error. */
  absent: readonly number[]
  /** Entries of the answer's body; null and nonsense are none. */
  entriesOf(body: unknown): string[]
}

/**
 * Pages of a list, each entry once: by `Link` where there is one, else by `last` as long as pages
 * are full. Nothing when the registry does not know what is listed.
 *
 * @throws AppError `remote_error` when `Link` leads in circles or away
 */
export async function* readPages(transport: Transport, call: PageCall): AsyncIterable<string[]> {
  const { doing, scopes, signal, pageSize } = call
  const seen = new Set<string>()
  const asked = new Set<string>()
  let next: URL | undefined = new URL(call.url)
  next.searchParams.set('n', String(pageSize))

  for (let pages = 0; next; pages++) {
    if (asked.has(next.href) || pages === MOST_PAGES) throw circle(transport.host)
    asked.add(next.href)
    const { response, url } = await transport.send({
      method: 'GET',
      url: next,
      doing,
      scopes,
      signal,
      expect: [200, ...call.absent],
    })
    if (response.status !== 200) {
      await response.body?.cancel()
      return
    }
    const link = linkOf(response.headers, url)
    const entries = call.entriesOf(await readJson(response, PAGE_LIMIT))
    const fresh = entries.filter((entry) => !seen.has(entry) && seen.add(entry))
    if (fresh.length > 0) yield fresh
    else if (link && entries.length > 0) throw circle(transport.host)

    if (link) next = sameRegistry(link, call.url, transport.host)
    // Without a Link a full page may be all, or all that is shown at once.
    else next = entries.length >= pageSize && fresh.length > 0 ? after(call, entries) : undefined
  }
}

function after({ url, pageSize }: PageCall, entries: string[]): URL {
  const next = new URL(url)
  next.searchParams.set('n', String(pageSize))
  next.searchParams.set('last', entries.at(-1) ?? '')
  return next
}

/** The target of `rel="next"` (RFC 8288). */
export function linkOf(headers: Headers, base: URL): URL | undefined {
  for (const [, target = '', parameters = ''] of (headers.get('link') ?? '').matchAll(
    /<([^>]*)>([^,]*)/g,
  )) {
    const isNext = /;\s*rel\s*=\s*"?[^";]*\bnext\b/i.test(parameters)
    if (isNext && URL.canParse(target, base.href)) return new URL(target, base.href)
  }
  return undefined
}

/** A registry behind a proxy writes its inner scheme and host: only the query is taken from it. */
function sameRegistry(link: URL, list: URL, host: string): URL {
  if (link.pathname !== list.pathname) {
    throw remoteFault('redirect', `${host} continues a list at another address`)
  }
  const next = new URL(list)
  next.search = link.search
  return next
}

function circle(host: string) {
  return remoteFault('loop', `${host} continues a list with what it listed before, without end`)
}

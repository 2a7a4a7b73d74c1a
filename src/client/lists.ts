import { AppError, isAppError } from '../lib/errors.ts'
import { because } from '../lib/reasons.ts'
import { isTag } from '../oci/reference.ts'
import type { RegistryCall } from '../oci/registry.ts'
import { readPages } from './pages.ts'
import type { Provider, ProviderContext } from './provider.ts'
import { remoteFault } from './remote-error.ts'
import { CATALOG_SCOPE, pullScope } from './scopes.ts'
import type { Transport } from './transport.ts'

const MOST_PAGES = 100_000

/** What there is in one registry. */
export function createLists({
  transport,
  provider,
  context,
}: {
  transport: Transport
  provider: Provider
  context: ProviderContext
}) {
  const { pageSize } = provider.limits

  function tags(repository: string, { signal }: RegistryCall = {}): AsyncIterable<string[]> {
    return readPages(transport, {
      url: transport.pathUrl(`${repository}/tags/list`),
      doing: `list the tags of ${repository}`,
      scopes: [pullScope(repository)],
      signal,
      pageSize,
      absent: [404],
      // Some put digests between the tags.
      entriesOf: (body) => textsOf(body, 'tags').filter(isTag),
    })
  }

  async function* catalog(namespace: string | undefined, { signal }: RegistryCall) {
    const pages = readPages(transport, {
      url: transport.pathUrl('_catalog'),
      doing: 'list its repositories',
      scopes: [CATALOG_SCOPE],
      signal,
      pageSize,
      absent: [],
      entriesOf: (body) => textsOf(body, 'repositories'),
    })
    try {
      for await (const page of pages) {
        const within = page.filter((name) => !namespace || name.startsWith(`${namespace}/`))
        if (within.length > 0) yield within
      }
    } catch (error) {
      if (!isAppError(error, 'not_found')) throw error
      const { host } = transport
      throw new AppError('remote_error', `${host} does not list its repositories`, {
        problem: 'unsupported',
        ...because('remote_unlisted', { host }),
      })
    }
  }

  /** By the provider's own API where it has one, else by `/v2/_catalog`. */
  async function* repositories({
    namespace,
    signal,
  }: RegistryCall & { namespace?: string | undefined } = {}): AsyncIterable<string[]> {
    let next: string | undefined
    const seen = new Set<string>()
    for (let pages = 0; pages < MOST_PAGES; pages++) {
      const page = await provider.listRepositories?.({ ...context, signal }, { namespace, next })
      if (page === undefined) return yield* catalog(namespace, { signal })
      const fresh = page.repositories.filter((name) => !seen.has(name) && seen.add(name))
      if (fresh.length > 0) yield fresh
      if (page.next === undefined) return
      if (page.next === next) break
      next = page.next
    }
    throw remoteFault('loop', `${transport.host} lists its repositories without end`)
  }

  return { tags, repositories }
}

function textsOf(body: unknown, field: string): string[] {
  const list =
    typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[field] : undefined
  return Array.isArray(list) ? list.filter((entry) => typeof entry === 'string') : []
}

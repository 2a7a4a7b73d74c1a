import { type AppError, isAppError } from '../lib/errors.ts'
import type { GuardedFetch } from '../lib/guarded-fetch.ts'
import type { Says } from '../lib/reasons.ts'
import type { Digest } from '../oci/digest.ts'
import type { RegistryCall } from '../oci/registry.ts'
import type { Provider, ProviderContext } from './provider.ts'
import { parseRetryAfter } from './rate-limit.ts'
import { confidential, toRemoteError } from './remote-error.ts'
import type { Throttle } from './throttle.ts'
import type { Transport } from './transport.ts'

/*
 * What there is in a registry, as cheaply as the registry tells it: by the provider's own API where
 * it has one that says more than names, else by `/v2`.
 */

export interface ListedRepository {
  name: string
  /** Equal to that of an earlier listing: nothing in the repository changed. Absent: cannot tell. */
  mark?: string | undefined
}

/** An image of an index. */
export interface ListedChild {
  digest: string
  /** `linux/arm64`; empty when it does not say. */
  platform: string
  size: number
}

/** What there is to know of an image without its layers. */
export interface ListedFacts {
  mediaType: string
  /** Bytes of config and layers; of an index those of all its images. */
  size: number
  platforms: string[]
  /** More than one only of images for several platforms. */
  children: ListedChild[]
  /** Epoch milliseconds; undefined: it does not tell. */
  createdAt: number | undefined
}

export interface ListedTag {
  tag: string
  /** Absent: ask for it by HEAD. */
  digest?: Digest | undefined
  /** When the tag was pushed, epoch milliseconds. */
  pushedAt?: number | undefined
  /** Absent: its manifest has to be read. */
  facts?: ListedFacts | undefined
}

/** A page, or why there is none; others may follow all the same. */
export interface Listed<T> {
  items: T[]
  /** What of the list is missing, and why. */
  problem?: AppError
  /** Why the list is not the provider's own. */
  note?: string
  noteSays?: Says | undefined
}

/** One run's view of a registry. What is missing without a `problem` is not there. */
export interface Inventory {
  /** Within `namespace` where one is given. @throws AppError */
  repositories(
    options: RegistryCall & { namespace?: string | undefined },
  ): AsyncIterable<Listed<ListedRepository>>
  /** @throws AppError */
  tags(repository: string, call: RegistryCall): AsyncIterable<Listed<ListedTag>>
}

/** Of a provider's own API, for one run. What it refuses is asked for by `/v2`. */
export type ProviderInventory = (context: ProviderContext) => Inventory

export interface InventoryParts {
  provider: Provider
  context: ProviderContext
  lists: {
    repositories(
      options: RegistryCall & { namespace?: string | undefined },
    ): AsyncIterable<string[]>
    tags(repository: string, call: RegistryCall): AsyncIterable<string[]>
  }
  transport: Transport
  throttle: Throttle
}

export function createInventory(parts: InventoryParts): Inventory {
  const { provider, lists } = parts
  const own = provider.inventory?.({ ...parts.context, fetch: politeFetch(parts) })
  /** One that is not there for repositories is not there for tags either. */
  let isOff = false

  async function* orElse<T>(
    listed: AsyncIterable<Listed<T>> | undefined,
    plain: () => AsyncIterable<Listed<T>>,
    off: () => void = () => {},
  ): AsyncIterable<Listed<T>> {
    if (!listed || isOff) return yield* plain()
    let isBegun = false
    try {
      for await (const page of listed) {
        isBegun = true
        yield page
      }
    } catch (error) {
      if (isBegun || !isNoWay(error)) throw error
      off()
      yield { items: [], note: error.message, noteSays: error.details.reason }
      yield* plain()
    }
  }

  return {
    repositories: ({ namespace, signal }) =>
      orElse(
        own?.repositories({ namespace, signal }),
        () => pagesOf(lists.repositories({ namespace, signal }), (name) => ({ name })),
        () => {
          isOff = true
        },
      ),
    tags: (repository, { signal }) =>
      orElse(own?.tags(repository, { signal }), () =>
        pagesOf(lists.tags(repository, { signal }), (tag) => ({ tag })),
      ),
  }
}

async function* pagesOf<T>(
  pages: AsyncIterable<string[]>,
  of: (name: string) => T,
): AsyncIterable<Listed<T>> {
  for await (const page of pages) yield { items: page.map(of) }
}

/** The API is not there, or not for this account; `/v2` may be. */
function isNoWay(error: unknown): error is AppError {
  if (isAppError(error, 'not_found', 'remote_denied')) return true
  return isAppError(error, 'remote_error') && error.details.problem !== 'server'
}

/** Requests of a provider's API keep to what the registry puts up with, as those of `/v2` do. */
function politeFetch({ context, transport, throttle }: InventoryParts): GuardedFetch {
  const { endpoint, clock } = context
  const login = { username: endpoint.accessKey, password: endpoint.secretKey }
  return async (url, request = {}) => {
    const { signal } = request
    for (let failures = 0; ; ) {
      try {
        return await throttle.run('ask', () => attempt(url, request), {
          signal,
          longestWait: transport.longestWait,
        })
      } catch (error) {
        failures++
        await transport.backOff(error, failures, signal)
      }
    }
  }

  async function attempt(url: string, request: Parameters<GuardedFetch>[1]): Promise<Response> {
    const response = await context.fetch(url, request)
    const { status, headers } = response
    if (status !== 429 && (status < 500 || status === 501)) return response
    const now = clock.now()
    if (status === 429) throttle.slowDown(parseRetryAfter(headers, now))
    throw await toRemoteError(response, {
      host: new URL(url).host,
      doing: 'list what it has',
      isAnonymous: login.username === '' && login.password === '',
      sent: confidential(login),
      now,
    })
  }
}

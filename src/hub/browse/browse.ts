import { createFreshCache } from '../../client/fresh-cache.ts'
import type { Clock } from '../../lib/clock.ts'
import { AppError } from '../../lib/errors.ts'
import { createLimit } from '../../lib/limit.ts'
import { isAccessoryTag } from '../../oci/accessory.ts'
import { isRepositoryPath, parseReference } from '../../oci/reference.ts'
import type { Connections } from '../connections.ts'
import type { RegistryRecord } from '../registries/record.ts'
import { describeRemoteImage, type RemoteImage } from './describe-image.ts'

/** Looking around in a registry of others: what is there, without storing any of it. */
export interface Browse {
  /** In byte order. @throws AppError of the client, with the registry's sentence */
  repositories(registry: RegistryRecord, page: BrowsePage): Promise<BrowsedNames>
  /** Newest-looking last, as the registry's own order is not told: byte order. */
  tags(registry: RegistryRecord, repository: string, page: BrowsePage): Promise<BrowsedNames>
  /** undefined: there is no such image. */
  image(
    registry: RegistryRecord,
    repository: string,
    reference: string,
  ): Promise<RemoteImage | undefined>
}

export interface BrowsePage {
  limit: number
  /** The last name of the page before. */
  after?: string | undefined
  /** Part of the name, in any case. */
  nameHas?: string | undefined
}

export interface BrowsedNames {
  items: string[]
  next: string | null
  /** False: the registry has more than is shown here; look for it by its whole name. */
  complete: boolean
}

const KEPT_MS = 30_000
const MOST_NAMES = 20_000
const LISTS_AT_ONCE = 2
const TIME_LIMIT_MS = 45_000
/** People look: a registry that wants to be waited for is told of instead. */
const PATIENCE = { tries: 2, longestWait: 5_000 }

interface Names {
  names: string[]
  complete: boolean
}

export function createBrowse({
  connections,
  clock,
  timeLimit = TIME_LIMIT_MS,
}: {
  connections: Connections
  clock: Clock
  /** Milliseconds for all requests of one look. */
  timeLimit?: number
}): Browse {
  const lists = createFreshCache<Names>(clock, 200)
  const images = createFreshCache<RemoteImage | undefined>(clock, 5_000)
  // Of one registry each: one that hangs must not keep the others from being looked at.
  const listing = new Map<string, ReturnType<typeof createLimit>>()
  const limitOf = (id: string) => {
    const limit = listing.get(id) ?? createLimit(LISTS_AT_ONCE)
    listing.set(id, limit)
    return limit
  }

  /** Every name, kept for a moment so that pages and searches are of one listing. */
  function namesOf(
    { id, version }: RegistryRecord,
    what: string,
    open: (
      remote: Awaited<ReturnType<Connections['to']>>,
      signal: AbortSignal,
    ) => AsyncIterable<string[]>,
  ): Promise<Names> {
    return lists.get(`${id}:${version}:${what}`, async () => {
      const look = inTime(timeLimit, async (signal) => {
        const connection = await connections.to(id, PATIENCE)
        const names = new Set<string>()
        for await (const page of open(connection, signal)) {
          for (const name of page) names.add(name)
          if (names.size > MOST_NAMES) break
        }
        const complete = names.size <= MOST_NAMES
        return { names: [...names].slice(0, MOST_NAMES).sort(), complete }
      })
      const value = await limitOf(id)(look)
      return { value, until: clock() + KEPT_MS }
    })
  }

  return {
    async repositories(registry, page) {
      const { namespace } = registry
      const all = await namesOf(registry, 'repositories', ({ remote }, signal) =>
        remote.listRepositories({ signal, ...(namespace === '' ? {} : { namespace }) }),
      )
      return pageOf(all, page)
    },

    async tags(registry, repository, page) {
      demandRepository(registry, repository)
      const all = await namesOf(registry, `tags:${repository}`, ({ remote }, signal) =>
        remote.listTags(repository, { signal }),
      )
      // What tools attached to an image is shown with it.
      return pageOf({ ...all, names: all.names.filter((tag) => !isAccessoryTag(tag)) }, page)
    },

    image(registry, repository, reference) {
      demandRepository(registry, repository)
      const parsed = parseReference(reference)
      if (!parsed)
        throw new AppError('invalid_input', '"reference" must be a tag or a digest', {
          field: 'reference',
        })
      const key = `${registry.id}:${registry.version}:${repository}:${reference}`
      return images.get(key, async () => {
        const value = await inTime(timeLimit, async (signal) => {
          const { remote } = await connections.to(registry.id, PATIENCE)
          return describeRemoteImage(remote, repository, parsed, { signal })
        })()
        return { value, until: clock() + KEPT_MS }
      })
    },
  }
}

/** The time is counted from the call on. */
function inTime<T>(ms: number, look: (signal: AbortSignal) => Promise<T>): () => Promise<T> {
  return async () => {
    const signal = AbortSignal.timeout(ms)
    try {
      return await look(signal)
    } catch (error) {
      if (error !== signal.reason) throw error
      const message = `the registry did not answer within ${Math.round(ms / 1000)} s`
      throw new AppError('remote_unreachable', message, { problem: 'timeout' })
    }
  }
}

/** The record says which part of the registry is ours to show, whatever its keys may see. */
function demandRepository({ name, namespace }: RegistryRecord, repository: string): void {
  if (!isRepositoryPath(repository)) {
    throw new AppError('invalid_input', '"repository" must be the name of a repository', {
      field: 'repository',
    })
  }
  if (namespace === '' || repository.startsWith(`${namespace}/`)) return
  throw new AppError(
    'denied',
    `registry "${name}" is integrated with its namespace "${namespace}" only, and ${repository} is not in it`,
  )
}

function pageOf({ names, complete }: Names, { limit, after, nameHas }: BrowsePage): BrowsedNames {
  const part = nameHas?.toLowerCase() ?? ''
  const found: string[] = []
  for (const name of names) {
    if (after !== undefined && name <= after) continue
    if (part !== '' && !name.toLowerCase().includes(part)) continue
    found.push(name)
    if (found.length > limit) break
  }
  const items = found.slice(0, limit)
  return { items, complete, next: found.length > limit ? (items.at(-1) ?? null) : null }
}

import { createHash } from 'node:crypto'
import { type AppError, isAppError } from '../../lib/errors.ts'
import { parseDigest } from '../../oci/digest.ts'
import { isTag } from '../../oci/reference.ts'
import type { Listed, ListedRepository, ListedTag, ProviderInventory } from '../inventory.ts'
import type { ProviderContext } from '../provider.ts'
import { remoteFault } from '../remote-error.ts'
import { isWithin, namespaceOf } from './endpoint.ts'
import { isKeyOfHost, PAGE_SIZE, type RepositoryKey, readCatalog, readKeys } from './jfrog-api.ts'
import { type FoundItem, findManifests } from './jfrog-search.ts'

/** A tag of an image, and what file it was found by. */
interface FoundTag {
  image: string
  tag: string
  item: FoundItem
}

/**
 * Artifactory by its search: one request tells the digests and times of all tags of a repository
 * key, so what did not change is known without looking at it. Keys whose images are elsewhere
 * (remote and virtual ones), and accounts that may not search, are read by their catalogs and `/v2`.
 */
export const jfrogInventory: ProviderInventory = (of) => {
  let keys: Promise<RepositoryKey[]> | undefined
  /** Those that cannot be searched. */
  const closed = new Set<string>()

  async function keysOf(context: ProviderContext): Promise<RepositoryKey[]> {
    keys ??= readKeys(context)
    try {
      return await keys
    } catch (error) {
      keys = undefined
      throw error
    }
  }

  async function* ofKey(
    context: ProviderContext,
    found: RepositoryKey,
  ): AsyncIterable<Listed<ListedRepository>> {
    if (found.isLocal) {
      try {
        const marks = await readMarks(context, found.key)
        for (const names of batches([...marks.keys()].sort())) {
          yield { items: names.map((name) => ({ name, mark: marks.get(name)?.text() })) }
        }
        return
      } catch (error) {
        if (!isNoSearch(error)) throw error
        closed.add(found.key)
        yield { items: [], note: error.message, noteSays: error.details.reason }
      }
    }
    for (let last: string | undefined; ; ) {
      const names = await readCatalog(context, found, last)
      yield { items: names.map((name) => ({ name })) }
      const end = names.at(-1)
      if (names.length < PAGE_SIZE || end === last) return
      last = end
    }
  }

  return {
    async *repositories({ namespace: asked, signal }) {
      const context = { ...of, signal }
      const namespace = namespaceOf(context.endpoint, asked)
      const all = await keysOf(context)
      const ofHost = all.find(({ key }) => isKeyOfHost(context.endpoint, key))
      const wanted = namespace?.split('/')[0]
      for (const key of ofHost ? [ofHost] : all) {
        if (!ofHost && wanted !== undefined && key.key !== wanted) continue
        const full = (name: string) => (ofHost ? name : `${key.key}/${name}`)
        try {
          for await (const page of ofKey(context, key)) {
            const named = page.items.map((item) => ({ ...item, name: full(item.name) }))
            yield { ...page, items: named.filter(({ name }) => isWithin(name, namespace)) }
          }
        } catch (error) {
          if (!isAppError(error, 'remote_error', 'remote_denied', 'not_found')) throw error
          yield { items: [], problem: error }
        }
      }
    },

    async *tags(repository, { signal }) {
      const context = { ...of, signal }
      const all = await keysOf(context)
      const ofHost = all.find(({ key }) => isKeyOfHost(context.endpoint, key))
      const slash = repository.indexOf('/')
      const found = ofHost ?? all.find(({ key }) => key === repository.slice(0, slash))
      const image = ofHost ? repository : repository.slice(slash + 1)
      if (!found?.isLocal || closed.has(found.key)) {
        throw remoteFault('unsupported', `the images of ${repository} are not told by a search`)
      }
      const tags = new Map<string, ListedTag>()
      for await (const item of findManifests(context, found.key, image)) {
        const one = tagOf(item)
        if (one?.image !== image) continue
        const { sha256, modified } = item
        const pushedAt = Date.parse(modified ?? '')
        // Beside each other they leave open which of them the tag is.
        const digest = tags.has(one.tag) ? undefined : parseDigest(`sha256:${sha256 ?? ''}`)
        tags.set(one.tag, { tag: one.tag, digest, ...(pushedAt > 0 ? { pushedAt } : {}) })
      }
      for (const items of batches([...tags.values()])) yield { items }
    },
  }
}

/** By image, something that differs when any of its tags does, in whatever order they are told. */
async function readMarks(context: ProviderContext, key: string): Promise<Map<string, Mark>> {
  const marks = new Map<string, Mark>()
  for await (const item of findManifests(context, key)) {
    const found = tagOf(item)
    if (!found) continue
    const mark = marks.get(found.image) ?? new Mark()
    mark.add([found.tag, item.name, item.sha256, item.modified].join(' '))
    marks.set(found.image, mark)
  }
  return marks
}

class Mark {
  private sum = 0n
  private count = 0

  add(text: string): void {
    const hash = createHash('sha256').update(text).digest()
    this.sum = BigInt.asUintN(64, this.sum + hash.readBigUInt64BE())
    this.count++
  }

  text(): string {
    return `${this.count}-${this.sum.toString(16)}`
  }
}

/** `team/app/1.0` + `manifest.json`; what was pushed by digest is in `sha256:…`, and no tag. */
function tagOf(item: FoundItem): FoundTag | undefined {
  const slash = item.path.lastIndexOf('/')
  const tag = item.path.slice(slash + 1)
  if (slash < 1 || !isTag(tag) || tag.startsWith('sha256__')) return undefined
  return { image: item.path.slice(0, slash), tag, item }
}

function isNoSearch(error: unknown): error is AppError {
  if (!isAppError(error)) return false
  return (
    ['not_found', 'remote_denied'].includes(error.code) ||
    (error.code === 'remote_error' && error.details.problem !== 'server')
  )
}

function* batches<T>(all: readonly T[]): Iterable<T[]> {
  for (let at = 0; at < all.length; at += PAGE_SIZE) yield all.slice(at, at + PAGE_SIZE)
}

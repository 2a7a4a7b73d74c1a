import type { ImageSync, Registry, Runner, Transfer } from '../api/hub.ts'
import type { Job, Page } from '../api/types.ts'
import { type Renewable, readAgain } from '../parts/renew.ts'

/*
 * Writes what an event tells into what was read before. What an event alone cannot decide, such as
 * whether a new row fits a filter, is read again, not more often than once a second.
 */

interface Told {
  transfer: Transfer
  job: Job
  sync: ImageSync & { registry: string }
  registry: Registry
  runner: Runner
}

type Kind = keyof Told

/** Apart from lists, which are read again more often. */
export const ONE_TRANSFER = '/transfers/one'

const SOON_MS = 1_000
const MOST_REMEMBERED = 1_000
const KINDS: readonly Kind[] = ['transfer', 'job', 'sync', 'registry', 'runner']

type Key = readonly unknown[]

/** What pages have read: as far as it is needed here, a `QueryClient`. */
export interface ReadData extends Renewable {
  getQueryData(key: Key): unknown
  setQueryData(key: Key, data: unknown): unknown
  getQueryCache(): {
    findAll(those: { queryKey?: Key; type?: 'active' }): readonly {
      queryKey: Key
      state: { data: unknown }
    }[]
  }
}

export interface Patcher {
  kinds: readonly Kind[]
  take<K extends Kind>(kind: K, data: Told[K]): void
  /** Reads again what events are about. */
  refresh(): void
}

export function createPatcher(queries: ReadData): Patcher {
  const waiting = new Map<string, ReturnType<typeof setTimeout>>()
  /** What was told last of what may be in lists, so that progress alone asks for nothing. */
  const states = new Map<string, string>()

  /** Reads again what begins so, once for all that ask within a second. */
  function soon(first: string, ...more: unknown[]): void {
    const queryKey = [first, ...more]
    const name = JSON.stringify(queryKey)
    if (waiting.has(name)) return
    const timer = setTimeout(() => {
      waiting.delete(name)
      void readAgain(queries, queryKey)
    }, SOON_MS)
    waiting.set(name, timer)
  }

  /** Replaces an item in every list that begins so. True: its state is news, so lists may change. */
  function replace<T extends { id: unknown; state: string }>(first: string, item: T): boolean {
    const name = `${first} ${item.id}`
    const isNews = states.get(name) !== item.state
    if (states.size > MOST_REMEMBERED) states.clear()
    states.set(name, item.state)
    for (const query of queries.getQueryCache().findAll({ queryKey: [first] })) {
      const page = query.state.data
      if (!isPage<T>(page)) continue
      if (!page.items.some(({ id }) => id === item.id)) continue
      queries.setQueryData(query.queryKey, {
        ...page,
        items: page.items.map((one) => (one.id === item.id ? item : one)),
      })
    }
    return isNews
  }

  const take: { [K in Kind]: (data: Told[K]) => void } = {
    transfer(transfer) {
      const key = [ONE_TRANSFER, transfer.id] as const
      if (queries.getQueryData(key)) queries.setQueryData(key, transfer)
      if (!replace('/transfers', transfer)) return
      soon('/transfers')
      // A read that is under way is older, and would have the last word of what is over now.
      soon(...key)
    },
    job(job) {
      if (replace('/jobs', job)) {
        soon('/jobs')
        soon('/overview')
      }
    },
    sync({ registry, ...sync }) {
      const path = `/registries/${registry}/syncs`
      if (replace(path, sync)) soon(path)
      if (sync.finishedAt === null) return
      soon('/images')
      soon(`/registries/${registry}/images`)
    },
    registry(registry) {
      const known = queries.getQueryData(['/registries', registry.id]) as Registry | undefined
      // What somebody changed here meanwhile is newer.
      if (known && known.version > registry.version) return
      if (known) queries.setQueryData(['/registries', registry.id], registry)
      if (known?.checkedAt !== registry.checkedAt) soon('/registries', registry.id, 'test')
      // Whether it is new, or the default in place of another one, the list alone tells.
      soon('/registries')
    },
    runner(runner) {
      if (!replace('/runners', runner)) return
      soon('/runners')
      soon('/overview')
    },
  }

  return {
    kinds: KINDS,
    take: (kind, data) => take[kind](data),
    refresh() {
      for (const first of [
        '/transfers',
        ONE_TRANSFER,
        '/jobs',
        '/registries',
        '/runners',
        '/images',
        '/overview',
      ]) {
        soon(first)
      }
      const lists = queries.getQueryCache().findAll({ type: 'active' })
      for (const { queryKey } of lists) {
        const [first] = queryKey
        if (typeof first === 'string' && first.startsWith('/registries/')) soon(first)
      }
    },
  }
}

function isPage<T>(value: unknown): value is Page<T> {
  return typeof value === 'object' && value !== null && 'items' in value
}

import type { QueryClient } from '@tanstack/react-query'
import { createContext, useContext, useSyncExternalStore } from 'react'
import { ApiError, get } from '../api/client.ts'
import type { Session } from '../api/types.ts'
import { createPatcher } from './patcher.ts'

/*
 * One stream of events for the whole page. What it tells is written into what the pages have read;
 * while it is away they ask by themselves. It also notices first that the server is away.
 */

/** `live`: events come; `asking`: pages have to ask; `away`: the server is not reached. */
export type Connection = 'asking' | 'live' | 'away'

export interface Live {
  /** Whether somebody is signed in: events are for them only. */
  want(wanted: boolean): void
  /** A request did not arrive: is it the server, or that request? */
  check(): void
  subscribe(notify: () => void): () => void
  connection(): Connection
}

const EVENTS = '/api/v1/events'
/** While the server is away it is asked this often. */
const ASK_MS = 2_000
/** Between two tries to follow events of a server that is there. */
const OPEN_AGAIN_MS = [1_000, 5_000, 15_000, 30_000]
/** Browsers keep few connections to a server: windows out of sight give theirs back. */
const HIDDEN_MS = 20_000

export function createLive(queries: QueryClient, onSignedOut: () => void): Live {
  const listeners = new Set<() => void>()
  const patcher = createPatcher(queries)
  let connection: Connection = 'asking'
  let wanted = false
  let source: EventSource | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let hiding: ReturnType<typeof setTimeout> | undefined
  let isProbing = false
  let tries = 0

  function set(next: Connection): void {
    if (next === connection) return
    connection = next
    for (const notify of listeners) notify()
  }

  function later(ms: number, work: () => void): void {
    clearTimeout(timer)
    timer = setTimeout(work, ms)
  }

  function close(): void {
    source?.close()
    source = undefined
    clearTimeout(timer)
  }

  function open(): void {
    if (!wanted || source || document.visibilityState === 'hidden') return
    const opened = new EventSource(EVENTS)
    source = opened
    opened.addEventListener('ready', () => {
      tries = 0
      set('live')
      // Between what pages have read and the first event something may have changed.
      patcher.refresh()
    })
    opened.addEventListener('refresh', () => patcher.refresh())
    for (const kind of patcher.kinds) {
      opened.addEventListener(kind, ({ data }) => patcher.take(kind, JSON.parse(data)))
    }
    opened.onerror = () => {
      if (source !== opened) return
      close()
      if (connection === 'live') set('asking')
      void probe()
    }
  }

  /** Asks what everybody may ask, to tell a server that is away from a stream that ended. */
  async function probe(): Promise<void> {
    if (isProbing) return
    isProbing = true
    try {
      const session = await get<Session>('/session', {}, AbortSignal.timeout(10_000))
      const wasAway = connection === 'away'
      if (wasAway) {
        set('asking')
        await queries.invalidateQueries()
      }
      if (!wanted) return
      if (!session.account) onSignedOut()
      else if (!source) {
        const pause = OPEN_AGAIN_MS[Math.min(tries, OPEN_AGAIN_MS.length - 1)] ?? 0
        tries++
        later(wasAway ? 0 : pause, open)
      }
    } catch (error) {
      const isThere = error instanceof ApiError && error.status > 0 && error.status < 500
      if (!isThere) {
        close()
        set('away')
      }
      later(ASK_MS, () => void probe())
    } finally {
      isProbing = false
    }
  }

  document.addEventListener('visibilitychange', () => {
    clearTimeout(hiding)
    if (document.visibilityState === 'visible') {
      if (!source && connection !== 'away') open()
      return
    }
    hiding = setTimeout(() => {
      close()
      set('asking')
    }, HIDDEN_MS)
  })

  return {
    want(next) {
      wanted = next
      if (wanted) return open()
      close()
      set('asking')
    },
    check() {
      if (connection !== 'away') void probe()
    },
    subscribe(notify) {
      listeners.add(notify)
      return () => listeners.delete(notify)
    },
    connection: () => connection,
  }
}

export const LiveContext = createContext<Live | undefined>(undefined)

export function useConnection(): Connection {
  const live = useContext(LiveContext)
  return useSyncExternalStore(live?.subscribe ?? nobody, live?.connection ?? asking)
}

const nobody = () => () => {}
const asking = (): Connection => 'asking'

/** How often a list has to be asked for that events keep up to date: not at all while they come. */
export function useLivePace(ms: number): number | undefined {
  return useConnection() === 'live' ? undefined : ms
}

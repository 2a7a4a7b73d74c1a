import type { PlaceShare, Places } from '../../client/places.ts'
import type { Clock } from '../../lib/clock.ts'
import { newHex } from '../../lib/ids.ts'
import type { Db } from '../../store/db/database.ts'
import { dealPlaces, type PlaceGrant, returnPlaces } from './deal-places.ts'

/** How long a process goes on with what it was granted before it asks again. */
const FRESH_MS = 1_000
/** The same where it was granted nothing more and somebody waits. */
const SHORT_MS = 250
const LEASE_MS = 15_000

export interface SharedPlacesOptions {
  db: Db
  clock: Clock
  freshMs?: number
  leaseMs?: number
}

/**
 * Limits of the registries of others that hold for all processes on one database together. While a
 * process asks a registry it leases a number of places there and renews them once a second, so that
 * requests themselves need no statement.
 */
export function createSharedPlaces(
  options: SharedPlacesOptions,
): (pool: string, count: number) => Places {
  const process = newHex(8)
  return (pool, count) => createPool(options, { pool, count, process })
}

interface Waiting {
  enter(): void
  fail(error: unknown): void
}

function createPool(
  { db, clock, freshMs = FRESH_MS, leaseMs = LEASE_MS }: SharedPlacesOptions,
  { pool, count, process }: { pool: string; count: number; process: string },
): Places {
  const waiting: Waiting[] = []
  let used = 0
  let granted = 0
  let freshUntil = 0
  let pausedUntil = 0
  /** One heard here that the others do not know yet. */
  let newPause = 0
  let dealing: Promise<void> | undefined
  let timer: Timer | undefined

  const isFresh = () => clock() < freshUntil

  function letIn(): void {
    // What is asked for just now must not change meanwhile.
    while (!dealing && isFresh() && used < granted) {
      const next = waiting.shift()
      if (!next) return
      used++
      next.enter()
    }
    if (waiting.length > 0 && !dealing && !isFresh()) void deal()
  }

  function deal(): Promise<void> {
    dealing ??= ask()
      .then(heed, (error: unknown) => {
        // Without the database nobody knows what is free; who comes next asks again.
        freshUntil = 0
        for (const one of waiting.splice(0)) one.fail(error)
      })
      .finally(() => {
        dealing = undefined
        letIn()
        schedule()
      })
    return dealing
  }

  async function ask(): Promise<PlaceGrant> {
    const now = clock()
    const told = newPause
    const grant = await dealPlaces(db, {
      ...{ pool, process, count, used, wantsMore: waiting.length > 0 },
      ...{ pausedUntil: told, now, leaseUntil: now + leaseMs },
    })
    if (newPause === told) newPause = 0
    return grant
  }

  function heed(grant: PlaceGrant): void {
    granted = grant.granted
    pausedUntil = Math.max(pausedUntil, grant.pausedUntil)
    const isShort = waiting.length > 0 && granted <= used
    freshUntil = clock() + (isShort ? Math.min(SHORT_MS, freshMs) : freshMs)
  }

  /** Renews while something runs or waits; gives all back as soon as nothing does. */
  function schedule(): void {
    clearTimeout(timer)
    timer = setTimeout(
      () => {
        if (used > 0 || waiting.length > 0) void deal()
        else if (!dealing) void giveBack()
      },
      Math.max(freshUntil - clock(), Math.min(SHORT_MS, freshMs)),
    )
    timer.unref()
  }

  async function giveBack(): Promise<void> {
    freshUntil = 0
    granted = 0
    dealing = returnPlaces(db, { pool, process, now: clock() })
      // They come back with the end of the lease.
      .catch(() => {})
      .finally(() => {
        dealing = undefined
        letIn()
      })
    await dealing
  }

  return {
    async run<T>(work: (share: PlaceShare) => Promise<T>): Promise<T> {
      await new Promise<void>((enter, fail) => {
        waiting.push({ enter, fail })
        letIn()
      })
      try {
        return await work({ part: Math.min(1, Math.max(granted, 1) / count), pausedUntil })
      } finally {
        used--
        letIn()
      }
    },
    pause(until) {
      if (until <= pausedUntil) return
      pausedUntil = until
      newPause = until
      void deal()
    },
  }
}

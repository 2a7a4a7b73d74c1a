import type { Clock } from '../lib/clock.ts'
import { AppError, isAppError } from '../lib/errors.ts'
import { because } from '../lib/reasons.ts'
import { createPlaces, type PlaceShare, type Places } from './places.ts'
import type { Limits } from './provider.ts'
import type { RateBudget } from './rate-limit.ts'
import { isWorthRetrying } from './remote-error.ts'
import { abortable, type Sleep } from './waiting.ts'

/** Failures in a row after which a registry is left alone for a while. */
const MOST_FAILURES = 10
const PAUSE_MS = 30_000
/** Where nothing is known of the rate: the distance that the first 429 brings. */
const FIRST_SPACING_MS = 100
const MOST_SPACING_MS = 10_000

/**
 * `ask` for what is over quickly, `send` for uploads. They have their own places: a copy within
 * one registry reads while it sends, and would wait for itself.
 */
export type Lane = 'ask' | 'send'

export interface Throttle {
  /** Runs `work` when the registry can take one more request. */
  run<T>(lane: Lane, work: () => Promise<T>, call: ThrottledCall): Promise<T>
  /** 429, or a server that asked for time; milliseconds, where it said how many. */
  slowDown(retryAfter: number | undefined): void
  /** Seen in an answer: with nothing left, nothing is sent before it is full again. */
  heed(budget: RateBudget): void
}

export interface ThrottledCall {
  signal?: AbortSignal | undefined
  /** Milliseconds that one is willing to wait for a pause to end. */
  longestWait: number
}

/**
 * Keeps below what one registry puts up with, together for all who ask it in this process, and for
 * other processes as far as they share the places.
 */
export function createThrottle({
  host,
  limits,
  clock,
  sleep,
  placesOf = (_, count) => createPlaces(count),
}: {
  host: string
  limits: Limits
  clock: Clock
  sleep: Sleep
  placesOf?: (lane: Lane, count: number) => Places
}): Throttle {
  const lanes = {
    ask: placesOf('ask', limits.concurrency),
    send: placesOf('send', limits.concurrency),
  }
  const leastSpacing = limits.perSecond === undefined ? 0 : 1000 / limits.perSecond
  let spacing = leastSpacing
  let nextAt = 0
  let pausedUntil = 0
  let failures = 0
  let brokenUntil = 0

  /** The request that was let through after the pause. */
  let probe: Promise<void> | undefined

  /**
   * One is let through after the pause, and what becomes of it decides for the others. These wait:
   * refused meanwhile, one of a copy that asks several things at once would end the copy, so the
   * probe too, and nothing would ever get through again. None waits for an upload, whose bytes may
   * come from this very registry: it would wait for them, and they for it.
   * @returns of the probe: to be called at its end
   */
  async function passCircuit(lane: Lane): Promise<(() => void) | undefined> {
    for (;;) {
      demandWhole()
      if (failures < MOST_FAILURES) return undefined
      if (!probe) {
        if (lane === 'send') return undefined
        const { promise, resolve } = Promise.withResolvers<void>()
        probe = promise
        return () => {
          probe = undefined
          resolve()
        }
      }
      await probe
    }
  }

  function demandWhole() {
    const left = brokenUntil - clock()
    if (left > 0) {
      throw new AppError(
        'remote_unreachable',
        `${host} failed ${failures} times in a row and is left alone for ${toSeconds(left)} s`,
        {
          problem: 'paused',
          retryAfter: toSeconds(left),
          ...because('remote_paused', { host, seconds: toSeconds(left) }),
        },
      )
    }
  }

  function pause(until: number) {
    pausedUntil = Math.max(pausedUntil, until)
    for (const places of Object.values(lanes)) places.pause(pausedUntil)
  }

  async function waitForTurn({ signal, longestWait }: ThrottledCall, share: PlaceShare) {
    pausedUntil = Math.max(pausedUntil, share.pausedUntil)
    const pause = pausedUntil - clock()
    if (pause > longestWait) {
      throw new AppError(
        'rate_limited',
        `${host} wants no more requests for ${toSeconds(pause)} s`,
        {
          problem: 'overloaded',
          registry: host,
          retryAfter: toSeconds(pause),
          ...because('remote_wait', { host, seconds: toSeconds(pause) }),
        },
      )
    }
    const at = Math.max(clock(), pausedUntil, nextAt)
    nextAt = at + spacing / share.part
    if (at > clock()) await sleep(at - clock(), signal)
  }

  /** Runs a request, and counts what becomes of it. */
  async function judged<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work()
      failures = 0
      brokenUntil = 0
      spacing = spacing * 0.9 < Math.max(5, leastSpacing) ? leastSpacing : spacing * 0.9
      return result
    } catch (error) {
      // Too many requests is an answer of a healthy server, a refusal too.
      if (isWorthRetrying(error) && !isAppError(error, 'rate_limited')) {
        if (++failures >= MOST_FAILURES) brokenUntil = clock() + PAUSE_MS
      } else if (isAppError(error)) {
        failures = 0
        brokenUntil = 0
      }
      throw error
    }
  }

  return {
    run(lane, work, call) {
      const turn = lanes[lane].run(async (share) => {
        call.signal?.throwIfAborted()
        const endProbe = await passCircuit(lane)
        try {
          call.signal?.throwIfAborted()
          await waitForTurn(call, share)
          return await judged(work)
        } finally {
          endProbe?.()
        }
      })
      return abortable(turn, call.signal)
    },
    slowDown(retryAfter) {
      spacing = Math.min(MOST_SPACING_MS, Math.max(FIRST_SPACING_MS, spacing * 2))
      if (retryAfter !== undefined) pause(clock() + retryAfter)
    },
    heed({ remaining, resetAt }) {
      if (remaining === 0 && resetAt !== undefined) pause(resetAt)
    },
  }
}

function toSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000))
}

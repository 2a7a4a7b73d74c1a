import { createLimit } from '../lib/limit.ts'

/** What one who has a place needs to know of the others. */
export interface PlaceShare {
  /** Which part of all places this process has, above 0 and at most 1: that of the rate, too. */
  part: number
  /** Until when the registry wants no requests, as another process heard it; 0: never. */
  pausedUntil: number
}

/** Requests that a registry puts up with at the same time. */
export interface Places {
  run<T>(work: (share: PlaceShare) => Promise<T>): Promise<T>
  /** The registry wants no requests until then, epoch milliseconds; told to all who share it. */
  pause(until: number): void
}

/** Places of this process alone. */
export function createPlaces(count: number): Places {
  const limit = createLimit(count)
  return {
    run: (work) => limit(() => work({ part: 1, pausedUntil: 0 })),
    pause() {},
  }
}

import { createHash } from 'node:crypto'

/*
 * How often a login that expires is fetched anew. Providers hand out a login that they have had for
 * a while, so the one that comes may have less time left than a fresh one.
 */

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** Steps that a cron line can say evenly. */
const MINUTES = [30, 20, 15, 10, 5] as const
const HOURS = [6, 4, 3, 2, 1] as const
const SHARE = 4

export interface RefreshSchedule {
  /** Five fields of cron. */
  cron: string
  everyMs: number
}

/**
 * Four times within the time that is left, at least every five minutes and at most every six hours;
 * the minute differs by `seed`, so that clusters do not come all at once.
 */
export function refreshSchedule(leftMs: number, seed: string): RefreshSchedule {
  const wanted = leftMs / SHARE
  const spread = createHash('sha256').update(seed).digest().readUInt32BE(0)
  const hours = HOURS.find((step) => step * HOUR_MS <= wanted)
  if (hours !== undefined) {
    const cron = `${spread % 60} ${hours === 1 ? '*' : `*/${hours}`} * * *`
    return { cron, everyMs: hours * HOUR_MS }
  }
  const minutes = MINUTES.find((step) => step * MINUTE_MS <= wanted) ?? 5
  return { cron: `${spread % minutes}-59/${minutes} * * * *`, everyMs: minutes * MINUTE_MS }
}

export type Random = {
  /** In [0, 1). */
  readonly next: () => number
  /** A whole number from `low` to below `high`. */
  readonly between: (low: number, high: number) => number
  readonly pick: <T>(from: readonly T[]) => T
  /** True so often. */
  readonly chance: (share: number) => boolean
}

/** mulberry32: a small generator of numbers, the same for the same seed. */
export const randomFrom = (seed: number): Random => {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  const between = (low: number, high: number) => Math.floor(low + next() * (high - low))
  return {
    next,
    between,
    pick(from) {
      const found = from[between(0, from.length)]
      if (found === undefined) throw new Error('nothing to pick from')
      return found
    },
    chance: (share) => next() < share,
  }
}

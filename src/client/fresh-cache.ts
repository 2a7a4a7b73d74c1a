import type { Clock } from '../lib/clock.ts'

export interface FreshCache<T> {
  /** The kept value, or what `load` brings; who asks meanwhile waits for the same one. */
  get(key: string, load: () => Promise<{ value: T; until: number }>): Promise<T>
  /** Forgets `stale`, but not what has taken its place since. */
  drop(key: string, stale: T): Promise<void>
}

/** Values that are good until a time of their own. Failures are not kept. */
export function createFreshCache<T>(clock: Clock, most = 1000): FreshCache<T> {
  const entries = new Map<string, { value: Promise<T>; until: number }>()
  return {
    get(key, load) {
      const kept = entries.get(key)
      if (kept && kept.until > clock()) return kept.value
      if (entries.size >= most) forgetOldest()
      const loading = load()
      const entry = {
        value: loading.then(({ value }) => value),
        until: Number.POSITIVE_INFINITY,
      }
      entries.set(key, entry)
      loading.then(
        ({ until }) => {
          entry.until = until
        },
        () => {
          if (entries.get(key) === entry) entries.delete(key)
        },
      )
      return entry.value
    },
    async drop(key, stale) {
      const kept = entries.get(key)
      if (kept && (await kept.value.catch(() => undefined)) === stale) {
        if (entries.get(key) === kept) entries.delete(key)
      }
    },
  }

  function forgetOldest() {
    for (const [key, { until }] of entries) if (until <= clock()) entries.delete(key)
    const [oldest] = entries.keys()
    if (entries.size >= most && oldest !== undefined) entries.delete(oldest)
  }
}

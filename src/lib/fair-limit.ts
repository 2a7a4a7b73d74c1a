/**
 * Like `createLimit`, among several: so many pieces of work at once, one of each, and whoever waits
 * is served in turn. Who asks for much waits for himself alone.
 */
export function createFairLimit<K>(atOnce: number) {
  /** Those who wait, who was served longest ago first. */
  const waiting = new Map<K, (() => void)[]>()
  const busy = new Set<K>()

  function next(): void {
    for (const [key, [first, ...rest]] of waiting) {
      if (busy.size >= atOnce) return
      if (busy.has(key)) continue
      waiting.delete(key)
      if (rest.length > 0) waiting.set(key, rest)
      busy.add(key)
      first?.()
    }
  }

  return async <T>(key: K, work: () => Promise<T>): Promise<T> => {
    await new Promise<void>((resolve) => {
      waiting.set(key, [...(waiting.get(key) ?? []), resolve])
      next()
    })
    try {
      return await work()
    } finally {
      busy.delete(key)
      next()
    }
  }
}

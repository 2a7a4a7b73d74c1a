/** As many windows as are worked with at once: while one waits for the server another is busy. */
const LANES = 2

/** Goes through all of them side by side; resolves to everything that was found. */
export async function inLanes<T>(
  all: readonly T[],
  work: (one: T, at: number) => Promise<string[]>,
): Promise<string[]> {
  const found: string[] = []
  const rest = [...all.entries()]
  const lane = async () => {
    for (let next = rest.shift(); next; next = rest.shift()) {
      found.push(...(await work(next[1], next[0])))
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return found
}

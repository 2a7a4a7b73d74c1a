import { isAppError } from './errors.ts'

export interface GatherOptions<Item> {
  /** So many batches at a time; what comes meanwhile makes the next ones. Infinite: never. */
  lanes: number
  /** Items of one batch at most. */
  limit: number
  /** Items that have one of these in common are never in one batch. */
  apart?: (item: Item) => readonly string[]
  /** Nothing was done of a batch that failed so. Unless given: of any failure but `unavailable`. */
  isUndone?: (failure: unknown) => boolean
}

interface Waiting<Item, Result> {
  item: Item
  resolve: (result: Result) => void
  reject: (error: unknown) => void
}

/**
 * Does work for many callers at once, where that costs little more than for one. Nobody waits for
 * others to come: only what comes while the lanes are busy is gathered.
 *
 * When a batch fails, its items are done again one by one, so that nobody fails because of a
 * neighbour; except when it is not known what was done.
 *
 * @param work results in the order of the items
 */
export function gather<Item, Result>(
  work: (items: Item[]) => Promise<Result[]>,
  {
    lanes,
    limit,
    apart,
    isUndone = (failure) => !isAppError(failure, 'unavailable'),
  }: GatherOptions<Item>,
): (item: Item) => Promise<Result> {
  if (lanes === Number.POSITIVE_INFINITY) return alone(work)
  let waiting: Waiting<Item, Result>[] = []
  let running = 0

  function nextBatch(): Waiting<Item, Result>[] {
    const batch: Waiting<Item, Result>[] = []
    const later: Waiting<Item, Result>[] = []
    const taken = new Set<string>()
    for (const one of waiting) {
      const marks = apart?.(one.item) ?? []
      const fits = batch.length < limit && !marks.some((mark) => taken.has(mark))
      for (const mark of marks) taken.add(mark)
      if (fits) batch.push(one)
      else later.push(one)
    }
    waiting = later
    return batch
  }

  async function run(batch: Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await work(batch.map(({ item }) => item))
      batch.forEach(({ resolve }, i) => {
        resolve(results[i] as Result)
      })
    } catch (error) {
      if (batch.length > 1 && isUndone(error)) {
        await Promise.all(batch.map((one) => run([one])))
      } else for (const { reject } of batch) reject(error)
    }
  }

  async function drain(): Promise<void> {
    running++
    while (waiting.length > 0) await run(nextBatch())
    running--
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      if (running < lanes) void drain()
    })
}

/**
 * As `gather`, for items of which only those with the same key can be done together. A key is
 * remembered only while there is something to do for it.
 */
export function gatherBy<Item, Result>(
  keyOf: (item: Item) => string,
  work: (items: Item[]) => Promise<Result[]>,
  options: GatherOptions<Item>,
): (item: Item) => Promise<Result> {
  if (options.lanes === Number.POSITIVE_INFINITY) return alone(work)
  const gatherings = new Map<string, { ask: (item: Item) => Promise<Result>; open: number }>()
  return async (item) => {
    const key = keyOf(item)
    const gathering = gatherings.get(key) ?? { ask: gather(work, options), open: 0 }
    gatherings.set(key, gathering)
    gathering.open++
    try {
      return await gathering.ask(item)
    } finally {
      gathering.open--
      if (gathering.open === 0) gatherings.delete(key)
    }
  }
}

function alone<Item, Result>(work: (items: Item[]) => Promise<Result[]>) {
  return async (item: Item): Promise<Result> => {
    const [result] = await work([item])
    return result as Result
  }
}

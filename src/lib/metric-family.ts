export type Labels = Record<string, string | number>

export interface FamilyOptions {
  name: string
  help: string
  type: 'counter' | 'gauge' | 'histogram'
  labelNames?: readonly string[]
  /** Upper bounds of a histogram, rising, without the last one that holds everything. */
  buckets?: readonly number[]
}

/** One series of a family. A histogram has `counts`, one per bucket, each on its own. */
export interface Series {
  labels: Labels
  /** Of a histogram: the sum of all that was observed. */
  value: number
  counts?: number[]
}

/** A family and its values at one moment; survives JSON. */
export interface FamilyValues {
  name: string
  help: string
  type: FamilyOptions['type']
  /** How the values of several processes become one. */
  over: 'sum' | 'max'
  buckets?: readonly number[]
  series: Series[]
}

export interface Family {
  /** Adds to a counter or gauge, observes in a histogram. */
  add(labels: Labels, value: number): void
  read(): FamilyValues
}

/** Values under one name, told apart by labels (data model of Prometheus). */
export function createFamily({
  name,
  help,
  type,
  labelNames = [],
  buckets,
}: FamilyOptions): Family {
  const all = new Map<string, Series>()
  // Without labels there is one series from the start: 0 is a value, absence is none.
  if (labelNames.length === 0) seriesOf({})

  function seriesOf(labels: Labels): Series {
    const key = labelNames.map((label) => labels[label]).join('\0')
    let series = all.get(key)
    if (!series) {
      series = { labels, value: 0, ...(buckets ? { counts: bucketsOf(buckets) } : {}) }
      all.set(key, series)
    }
    return series
  }

  return {
    add(labels, value) {
      const series = seriesOf(labels)
      series.value += value
      if (!series.counts || !buckets) return
      const found = buckets.findIndex((bound) => value <= bound)
      const bucket = found < 0 ? buckets.length : found
      series.counts[bucket] = (series.counts[bucket] ?? 0) + 1
    },
    read: () => ({
      name,
      help,
      type,
      over: 'sum',
      ...(buckets ? { buckets } : {}),
      series: [...all.values()],
    }),
  }
}

function bucketsOf(bounds: readonly number[]): number[] {
  return Array.from({ length: bounds.length + 1 }, () => 0)
}

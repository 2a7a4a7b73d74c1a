import {
  createFamily,
  type Family,
  type FamilyOptions,
  type FamilyValues,
  type Labels,
} from './metric-family.ts'
import { processFamilies } from './process-metrics.ts'

/** The values of one process at one moment; survives JSON. */
export type MetricsSnapshot = FamilyValues[]

interface RequestMetric {
  /** Name of the route, never the path: `manifest.get`. */
  route: string
  method: string
  status: number
  seconds: number
  /** Bytes of the bodies. */
  bytesIn: number
  bytesOut: number
}

type Options = Pick<FamilyOptions, 'name' | 'help'>

/** What the program counts. Names begin with `entrepot_`; units are seconds and bytes. */
export interface Metrics {
  /** Once per request, when its answer begins. */
  request(metric: RequestMetric): void
  /** Requests that carry the bytes of an upload right now: inc() and dec(). */
  readonly uploadsInFlight: { inc(): void; dec(): void }
  /** Once per run of a job. */
  job(kind: string, outcome: 'done' | 'failed' | 'retried' | 'cancelled', seconds: number): void
  /** A metric of one room's own; `name` without the prefix. */
  counter(options: Options & Pick<FamilyOptions, 'labelNames'>): {
    inc(labels?: Labels, by?: number): void
  }
  /** A value that is asked for with each snapshot. */
  gauge(options: Options & { read(): number | Promise<number> }): void
  snapshot(): Promise<MetricsSnapshot>
}

/** From a manifest out of a cache to a layer of gigabytes. */
const REQUEST_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120, 600,
]
const JOB_SECONDS = [0.01, 0.1, 1, 10, 60, 600, 3600]

/** The metrics of one process; `processName` such as `worker-1` labels what it uses itself. */
export function createMetrics(processName: string): Metrics {
  const families: Family[] = []
  const gauges: (() => Promise<FamilyValues>)[] = []
  const family = (options: FamilyOptions): Family => {
    const made = createFamily({ ...options, name: `entrepot_${options.name}` })
    families.push(made)
    return made
  }

  const requests = family({
    name: 'http_request_duration_seconds',
    help: 'Time from the request until its answer begins, by route.',
    labelNames: ['route', 'method', 'status'],
    type: 'histogram',
    buckets: REQUEST_SECONDS,
  })
  const received = family({
    name: 'http_received_bytes_total',
    help: 'Bytes of request bodies, by route.',
    labelNames: ['route'],
    type: 'counter',
  })
  const sent = family({
    name: 'http_sent_bytes_total',
    help: 'Bytes of answers, by route.',
    labelNames: ['route'],
    type: 'counter',
  })
  const uploads = family({
    name: 'uploads_in_flight',
    help: 'Requests that carry bytes of an upload right now.',
    type: 'gauge',
  })
  const jobs = family({
    name: 'job_duration_seconds',
    help: 'Time that one run of a job took, by kind and outcome.',
    labelNames: ['kind', 'outcome'],
    type: 'histogram',
    buckets: JOB_SECONDS,
  })
  const ofProcess = processFamilies(processName)

  return {
    request({ route, method, status, seconds, bytesIn, bytesOut }) {
      requests.add({ route, method, status }, seconds)
      if (bytesIn > 0) received.add({ route }, bytesIn)
      if (bytesOut > 0) sent.add({ route }, bytesOut)
    },
    uploadsInFlight: { inc: () => uploads.add({}, 1), dec: () => uploads.add({}, -1) },
    job: (kind, outcome, seconds) => jobs.add({ kind, outcome }, seconds),
    counter(options) {
      const counter = family({ ...options, type: 'counter' })
      return { inc: (labels = {}, by = 1) => counter.add(labels, by) }
    },
    gauge({ name, help, read }) {
      gauges.push(async () => ({
        name: `entrepot_${name}`,
        help,
        type: 'gauge',
        over: 'sum',
        series: [{ labels: {}, value: await read() }],
      }))
    },
    snapshot: async () => [
      ...families.map((one) => one.read()),
      ...(await Promise.all(gauges.map((gauge) => gauge()))),
      ...ofProcess(),
    ],
  }
}

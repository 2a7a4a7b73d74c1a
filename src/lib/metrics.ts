import {
  AggregatorRegistry,
  type Counter,
  type CounterConfiguration,
  type Gauge,
  type GaugeConfiguration,
  type Histogram,
  type HistogramConfiguration,
  type MetricObjectWithValues,
  type MetricValue,
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry,
} from 'prom-client'
import { collectProcessMetrics } from './process-metrics.ts'

/** The values of one process at one moment; survives JSON. */
export type MetricsSnapshot = MetricObjectWithValues<MetricValue<string>>[]

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

/** What the program counts. Names begin with `entrepot_`; units are seconds and bytes. */
export interface Metrics {
  /** Once per request, when its answer begins. */
  request(metric: RequestMetric): void
  /** Requests that carry the bytes of an upload right now: inc() and dec(). */
  readonly uploadsInFlight: { inc(): void; dec(): void }
  /** Once per run of a job. */
  job(kind: string, outcome: 'done' | 'failed' | 'retried' | 'cancelled', seconds: number): void
  /** A metric of one room's own; `name` without the prefix. */
  counter<L extends string>(options: Omit<CounterConfiguration<L>, 'registers'>): Counter<L>
  gauge<L extends string>(options: Omit<GaugeConfiguration<L>, 'registers'>): Gauge<L>
  histogram<L extends string>(options: Omit<HistogramConfiguration<L>, 'registers'>): Histogram<L>
  snapshot(): Promise<MetricsSnapshot>
}

/** From a manifest out of a cache to a layer of gigabytes. */
const REQUEST_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120, 600,
]
const JOB_SECONDS = [0.01, 0.1, 1, 10, 60, 600, 3600]

/** The metrics of one process; `processName` such as `worker-1` labels what it uses itself. */
export function createMetrics(processName: string): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const prefixed = (name: string) => `entrepot_${name}`

  const requests = new PromHistogram({
    name: prefixed('http_request_duration_seconds'),
    help: 'Time from the request until its answer begins, by route.',
    labelNames: ['route', 'method', 'status'],
    buckets: REQUEST_SECONDS,
    registers,
  })
  const received = new PromCounter({
    name: prefixed('http_received_bytes_total'),
    help: 'Bytes of request bodies, by route.',
    labelNames: ['route'],
    registers,
  })
  const sent = new PromCounter({
    name: prefixed('http_sent_bytes_total'),
    help: 'Bytes of answers, by route.',
    labelNames: ['route'],
    registers,
  })
  const uploads = new PromGauge({
    name: prefixed('uploads_in_flight'),
    help: 'Requests that carry bytes of an upload right now.',
    registers,
  })
  const jobs = new PromHistogram({
    name: prefixed('job_duration_seconds'),
    help: 'Time that one run of a job took, by kind and outcome.',
    labelNames: ['kind', 'outcome'],
    buckets: JOB_SECONDS,
    registers,
  })
  collectProcessMetrics(registry, processName)

  return {
    request({ route, method, status, seconds, bytesIn, bytesOut }) {
      requests.observe({ route, method, status }, seconds)
      if (bytesIn > 0) received.inc({ route }, bytesIn)
      if (bytesOut > 0) sent.inc({ route }, bytesOut)
    },
    uploadsInFlight: { inc: () => uploads.inc(), dec: () => uploads.dec() },
    job: (kind, outcome, seconds) => jobs.observe({ kind, outcome }, seconds),
    counter: (options) => new PromCounter({ ...options, name: prefixed(options.name), registers }),
    gauge: (options) => new PromGauge({ ...options, name: prefixed(options.name), registers }),
    histogram: (options) =>
      new PromHistogram({ ...options, name: prefixed(options.name), registers }),
    snapshot: () => registry.getMetricsAsJSON(),
  }
}

/** The sum over processes, as Prometheus reads it (text format 0.0.4). */
export function renderMetrics(snapshots: MetricsSnapshot[]): Promise<string> {
  return AggregatorRegistry.aggregate(snapshots).metrics()
}

import { expect, test } from 'bun:test'
import { createMetrics, type MetricsSnapshot } from './metrics.ts'
import { renderMetrics } from './metrics-text.ts'

test('metrics of several processes are summed, what each uses itself is not', async () => {
  const processes = ['worker-1', 'worker-2'].map(createMetrics)
  for (const metrics of processes) {
    const base = { route: 'manifest.get', method: 'GET', status: 200 }
    metrics.request({ ...base, seconds: 0.004, bytesIn: 0, bytesOut: 500 })
    metrics.uploadsInFlight.inc()
    metrics.job('sweep', 'done', 0.2)
    metrics.counter({ name: 'cache_hits_total', help: 'Hits.' }).inc({}, 3)
  }
  const snapshots = await Promise.all(processes.map((metrics) => metrics.snapshot()))
  // As they come over the channel between the processes.
  const text = renderMetrics(JSON.parse(JSON.stringify(snapshots)) as MetricsSnapshot[])

  expect(sampleOf(text, 'entrepot_cache_hits_total')).toBe(6)
  expect(sampleOf(text, 'entrepot_uploads_in_flight')).toBe(2)
  expect(sampleOf(text, 'entrepot_http_sent_bytes_total{route="manifest.get"}')).toBe(1000)
  const labels = 'route="manifest.get",method="GET",status="200"'
  expect(sampleOf(text, `entrepot_http_request_duration_seconds_count{${labels}}`)).toBe(2)
  expect(
    sampleOf(text, `entrepot_http_request_duration_seconds_bucket{le="0.005",${labels}}`),
  ).toBe(2)
  expect(sampleOf(text, 'entrepot_job_duration_seconds_sum{kind="sweep",outcome="done"}')).toBe(0.4)
  for (const name of ['worker-1', 'worker-2']) {
    expect(sampleOf(text, `process_resident_memory_bytes{process="${name}"}`)).toBeGreaterThan(1e6)
    expect(sampleOf(text, `process_cpu_seconds_total{process="${name}"}`)).toBeGreaterThan(0)
  }
})

test('every line is one that Prometheus reads', async () => {
  const metrics = createMetrics('worker-1')
  metrics.request({ route: 'a', method: 'GET', status: 200, seconds: 1, bytesIn: 1, bytesOut: 1 })
  metrics.job('sweep', 'failed', 7200)
  const text = renderMetrics([await metrics.snapshot()])
  for (const line of text.trim().split('\n')) {
    expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{.*\})? [-+\d.e]+|)$/)
  }
})

test('buckets hold what is at most their bound, and all below them', async () => {
  const metrics = createMetrics('jobs')
  for (const seconds of [0.01, 0.02, 60, 3601]) metrics.job('sweep', 'done', seconds)
  const text = renderMetrics([await metrics.snapshot()])
  const labels = 'kind="sweep",outcome="done"'
  const upTo = (bound: string) =>
    sampleOf(text, `entrepot_job_duration_seconds_bucket{le="${bound}",${labels}}`)
  expect(['0.01', '0.1', '10', '60', '3600', '+Inf'].map(upTo)).toEqual([1, 2, 2, 3, 3, 4])
  expect(sampleOf(text, `entrepot_job_duration_seconds_count{${labels}}`)).toBe(4)
})

test('a gauge is asked when it is read', async () => {
  const metrics = createMetrics('jobs')
  let age = 1
  metrics.gauge({ name: 'lag_seconds', help: 'Lag.', read: async () => age })
  expect(sampleOf(renderMetrics([await metrics.snapshot()]), 'entrepot_lag_seconds')).toBe(1)
  age = 2
  expect(sampleOf(renderMetrics([await metrics.snapshot()]), 'entrepot_lag_seconds')).toBe(2)
})

test('labels and help are escaped', async () => {
  const metrics = createMetrics('jobs')
  metrics.counter({ name: 'odd_total', help: 'a\nb \\', labelNames: ['x'] }).inc({ x: 'a"b\n\\' })
  const text = renderMetrics([await metrics.snapshot()])
  expect(text).toContain('# HELP entrepot_odd_total a\\nb \\\\\n')
  expect(text).toContain('entrepot_odd_total{x="a\\"b\\n\\\\"} 1\n')
})

test('what nothing was counted of yet is 0 where it has no labels', async () => {
  const text = renderMetrics([await createMetrics('jobs').snapshot()])
  expect(sampleOf(text, 'entrepot_uploads_in_flight')).toBe(0)
})

function sampleOf(text: string, name: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `))
  return Number(line?.slice(name.length + 1))
}

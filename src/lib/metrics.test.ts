import { expect, test } from 'bun:test'
import { createMetrics, type MetricsSnapshot, renderMetrics } from './metrics.ts'

test('metrics of several processes are summed, what each uses itself is not', async () => {
  const processes = ['worker-1', 'worker-2'].map(createMetrics)
  for (const metrics of processes) {
    const base = { route: 'manifest.get', method: 'GET', status: 200 }
    metrics.request({ ...base, seconds: 0.004, bytesIn: 0, bytesOut: 500 })
    metrics.uploadsInFlight.inc()
    metrics.job('sweep', 'done', 0.2)
    metrics.counter({ name: 'cache_hits_total', help: 'Hits.' }).inc(3)
  }
  const snapshots = await Promise.all(processes.map((metrics) => metrics.snapshot()))
  // As they come over the channel between the processes.
  const text = await renderMetrics(JSON.parse(JSON.stringify(snapshots)) as MetricsSnapshot[])

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
  const text = await renderMetrics([await createMetrics('worker-1').snapshot()])
  for (const line of text.trim().split('\n')) {
    expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{.*\})? [-+\d.e]+|)$/)
  }
})

function sampleOf(text: string, name: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `))
  return Number(line?.slice(name.length + 1))
}

import { readdirSync } from 'node:fs'
import { Counter, Gauge, type Registry } from 'prom-client'

const LAG_PROBE_MS = 500

/**
 * What one process uses. prom-client's own set counts things of V8 that Bun answers with zero or
 * with text that Prometheus refuses.
 */
export function collectProcessMetrics(registry: Registry, processName: string): void {
  const registers = [registry]
  const labelNames = ['process']
  const label = { process: processName }

  let usedBefore = 0
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Processor time, user and system.',
    labelNames,
    registers,
    collect() {
      const { user, system } = process.cpuUsage()
      const used = (user + system) / 1e6
      this.inc(label, Math.max(0, used - usedBefore))
      usedBefore = used
    },
  })
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory.',
    labelNames,
    registers,
    collect() {
      this.set(label, process.memoryUsage.rss())
    },
  })
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'When the process was started, seconds since the epoch.',
    labelNames,
    registers,
    aggregator: 'max',
  }).set(label, Math.round(performance.timeOrigin / 1000))
  if (process.platform === 'linux') {
    new Gauge({
      name: 'process_open_fds',
      help: 'Open files and sockets.',
      labelNames,
      registers,
      collect() {
        this.set(label, readdirSync('/proc/self/fd').length)
      },
    })
  }

  let worstLag = 0
  let expected = performance.now() + LAG_PROBE_MS
  setInterval(() => {
    const now = performance.now()
    worstLag = Math.max(worstLag, now - expected)
    expected = now + LAG_PROBE_MS
  }, LAG_PROBE_MS).unref()
  new Gauge({
    name: 'entrepot_event_loop_lag_seconds',
    help: 'The longest that the event loop was held up since the last reading.',
    labelNames,
    registers,
    aggregator: 'max',
    collect() {
      this.set(label, worstLag / 1000)
      worstLag = 0
    },
  })
}

import { readdirSync } from 'node:fs'
import type { FamilyValues } from './metric-family.ts'

const LAG_PROBE_MS = 500

/** What one process uses: call it for the values of the moment. */
export function processFamilies(processName: string): () => FamilyValues[] {
  const family = (
    name: string,
    help: string,
    value: number,
    { type = 'gauge', over = 'sum' }: Partial<Pick<FamilyValues, 'type' | 'over'>> = {},
  ): FamilyValues => ({
    name,
    help,
    type,
    over,
    series: [{ labels: { process: processName }, value }],
  })

  let worstLag = 0
  let expected = performance.now() + LAG_PROBE_MS
  setInterval(() => {
    const now = performance.now()
    worstLag = Math.max(worstLag, now - expected)
    expected = now + LAG_PROBE_MS
  }, LAG_PROBE_MS).unref()

  return () => {
    const { user, system } = process.cpuUsage()
    const lag = worstLag
    worstLag = 0
    return [
      family(
        'process_cpu_seconds_total',
        'Processor time, user and system.',
        (user + system) / 1e6,
        { type: 'counter' },
      ),
      family('process_resident_memory_bytes', 'Resident memory.', process.memoryUsage.rss()),
      family(
        'process_start_time_seconds',
        'When the process was started, seconds since the epoch.',
        Math.round(performance.timeOrigin / 1000),
        { over: 'max' },
      ),
      ...(process.platform === 'linux'
        ? [
            family(
              'process_open_fds',
              'Open files and sockets.',
              readdirSync('/proc/self/fd').length,
            ),
          ]
        : []),
      family(
        'entrepot_event_loop_lag_seconds',
        'The longest that the event loop was held up since the last reading.',
        lag / 1000,
        { over: 'max' },
      ),
    ]
  }
}

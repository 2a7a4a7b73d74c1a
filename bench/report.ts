import type { Figures } from './conductor.ts'
import type { Target, Workload } from './workloads.ts'

/** All rounds of one line against one server, or why there are none. */
export type Row = { server: string; rounds: Figures[]; note: string | null }
export type Line = { workload: Workload; rows: Row[] }

/** Median, smallest and largest of the rounds. */
type Spread = { median: number; low: number; high: number }

export const ceilingName = 'ceiling'
const busyShare = 0.9
const ceilingShare = 0.7

export function spreadOf(values: readonly number[]): Spread | null {
  if (values.length === 0) return null
  const sorted = [...values].sort((a, b) => a - b)
  const upper = sorted[sorted.length >> 1] ?? 0
  const lower = sorted[(sorted.length - 1) >> 1] ?? 0
  return { median: (lower + upper) / 2, low: sorted[0] ?? 0, high: sorted.at(-1) ?? 0 }
}

/** Round by round, because only neighbours in time met the same machine. */
export function ratioOf(
  ours: Row | undefined,
  theirs: Row | undefined,
  pick: (round: Figures) => number = ({ rate }) => rate,
): Spread | null {
  const ratios: number[] = []
  for (const [i, round] of (ours?.rounds ?? []).entries()) {
    const other = theirs?.rounds[i]
    if (other !== undefined) ratios.push(pick(round) / pick(other))
  }
  return spreadOf(ratios)
}

/** By the median operation: two lines are no neighbours, and one stalled sync changes a rate. */
function growthOf(small: Row | undefined, large: Row | undefined): Spread | null {
  return ratioOf(large, small, ({ p50 }) => p50)
}

const columns = (first: string) => [
  'server',
  'rate (lowest-highest)',
  `${first} / this`,
  'p50 ms',
  'p95 ms',
  'p99 ms',
  'server CPU s',
  'generator CPU s',
  'busy',
  'peak MB',
]

/** The block of one line: a row per server, ratios against the first of them. */
export function renderLine(line: Line): string {
  const { workload, rows } = line
  const first = rows[0]
  const table = [
    columns(first?.server ?? ''),
    ...rows.map((row) => renderRow(row, first, ceilingOf(line))),
  ]
  const header = `${workload.name}: ${workload.title}, ${workload.clients} clients, ${workload.unit}`
  // A server's own words are long; in a cell they would tear the table apart.
  const notes = rows.flatMap(({ server, note }) => (note === null ? [] : [`  ${server}: ${note}`]))
  return [header, renderTable(table), ...notes].join('\n')
}

function renderRow(row: Row, first: Row | undefined, ceiling: Row | undefined): string[] {
  const rate = spreadOf(row.rounds.map((round) => round.rate))
  if (rate === null) return [row.server, '-']
  const ratio = row === first ? null : ratioOf(first, row)
  const memory = row.rounds.flatMap((round) =>
    round.peakMemory === null ? [] : [round.peakMemory],
  )
  const peak = memory.length === 0 ? null : Math.max(...memory.map(({ bytes }) => bytes))
  return [
    row.server,
    showSpread(rate),
    ratio === null ? '' : showSpread(ratio),
    median(row, (round) => round.p50).toFixed(1),
    median(row, (round) => round.p95).toFixed(1),
    median(row, (round) => round.p99).toFixed(1),
    row.rounds.some((round) => round.serverCpuSeconds === null)
      ? '-'
      : median(row, (round) => round.serverCpuSeconds ?? 0).toFixed(2),
    median(row, (round) => round.cpuSeconds).toFixed(2),
    `${(busyOf(row) * 100).toFixed(0)} %${limitedByGenerator(row, ceiling) ? ' !' : ''}`,
    peak === null ? '-' : showMegabytes(peak, memory[0]?.kind),
  ]
}

function showMegabytes(bytes: number, kind: string | undefined): string {
  return `${(bytes / 1e6).toFixed(0)}${kind === 'RSS' ? ' RSS' : ''}`
}

/** Share of one core that the generator used: it has one thread. */
function busyOf(row: Row): number {
  return median(row, (round) => round.cpuSeconds / round.seconds)
}

/** True where the figure may say more of the generator than of the server. */
export function limitedByGenerator(row: Row, ceiling: Row | undefined): boolean {
  if (row.server === ceilingName) return false
  const share = ratioOf(row, ceiling)
  return busyOf(row) > busyShare || (share !== null && share.median > ceilingShare)
}

export type Verdict = { target: string; reached: string; met: boolean | null }

/** Checks the targets that the measured lines can answer. */
export function judge(lines: readonly Line[], targets: readonly Target[], ours: string): Verdict[] {
  return targets.flatMap((target) => {
    const verdict = judgeOne(lines, target, ours)
    return verdict === null ? [] : [verdict]
  })
}

function judgeOne(lines: readonly Line[], target: Target, ours: string): Verdict | null {
  if (target.kind === 'ratio') {
    const line = lines.find(({ workload }) => workload.name === target.line)
    const server = target.server ?? ours
    const ratio = ratioOf(rowOf(line, server), rowOf(line, target.peer))
    if (ratio === null) return null
    return {
      target: `${target.line}${target.server ? ` of ${server}` : ''} at least ${target.atLeast} x ${target.peer}`,
      reached: `${showSpread(ratio)} x`,
      met: ratio.median >= target.atLeast,
    }
  }
  if (target.kind === 'rate' || target.kind === 'latency') {
    const line = lines.find(({ workload }) => workload.name === target.line)
    return judgeServer(rowOf(line, target.server), target)
  }
  if (target.kind === 'memory') {
    const row = rowOf(
      lines.find(({ workload }) => workload.name === target.line),
      ours,
    )
    const peaks = row?.rounds.map((round) => (round.peakMemory?.bytes ?? 0) / 1e6) ?? []
    const peak = spreadOf(peaks)
    if (peak === null) return null
    return {
      target: `${target.line} in at most ${target.atMostMB} MB`,
      reached: `${peak.high.toFixed(0)} MB`,
      met: peak.high <= target.atMostMB,
    }
  }
  const [large, small] = [target.large, target.small].map((name) =>
    rowOf(
      lines.find(({ workload }) => workload.name === name),
      ours,
    ),
  )
  const growth = growthOf(small, large)
  if (growth === null) return null
  return {
    target: `${target.large} at most ${target.atMost} x the time of ${target.small}`,
    reached: `${showSpread(growth)} x`,
    met: growth.median <= target.atMost,
  }
}

function judgeServer(
  row: Row | undefined,
  target: Extract<Target, { kind: 'rate' | 'latency' }>,
): Verdict | null {
  const pick = ({ rate, p95 }: Figures) => (target.kind === 'rate' ? rate : p95)
  const reached = spreadOf(row?.rounds.map(pick) ?? [])
  if (reached === null) return null
  const of = `${target.line} of ${target.server}`
  return target.kind === 'rate'
    ? {
        target: `${of} at least ${target.atLeast} a second`,
        reached: showSpread(reached),
        met: reached.median >= target.atLeast,
      }
    : {
        target: `${of}: 95 % within ${target.p95AtMostMs} ms`,
        reached: `${showSpread(reached)} ms`,
        met: reached.median <= target.p95AtMostMs,
      }
}

export function renderVerdicts(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ target, reached, met }) => [target, reached, met ? 'met' : 'MISSED'])
  return `Targets\n${renderTable([['target', 'reached', ''], ...rows])}`
}

/** Growth with the length of lists for every server, ours and others. */
export function renderGrowth(lines: readonly Line[], targets: readonly Target[]): string | null {
  const rows: string[][] = []
  for (const target of targets) {
    if (target.kind !== 'flat') continue
    const [small, large] = [target.small, target.large].map((name) =>
      lines.find(({ workload }) => workload.name === name),
    )
    for (const row of large?.rows ?? []) {
      const growth = growthOf(rowOf(small, row.server), row)
      if (growth !== null) {
        rows.push([target.large, row.server, `${showSpread(growth)} x`, target.small])
      }
    }
  }
  if (rows.length === 0) return null
  const header = ['line', 'server', 'growth of p50', 'over']
  return `Growth with the length of the list\n${renderTable([header, ...rows])}`
}

function rowOf(line: Line | undefined, server: string): Row | undefined {
  return line?.rows.find((row) => row.server === server)
}

function ceilingOf(line: Line): Row | undefined {
  return rowOf(line, ceilingName)
}

function median(row: Row, pick: (round: Figures) => number): number {
  return spreadOf(row.rounds.map(pick))?.median ?? 0
}

function showSpread({ median: middle, low, high }: Spread): string {
  return `${show(middle)} (${show(low)}-${show(high)})`
}

function show(value: number): string {
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)
}

function renderTable(rows: readonly string[][]): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  }
  return rows
    .map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd())
    .join('\n')
}

import { expect, test } from 'bun:test'
import type { Figures } from './conductor.ts'
import { judge, type Line, limitedByGenerator, type Row, ratioOf, spreadOf } from './report.ts'
import type { Workload } from './workloads.ts'

function rowOf(server: string, rates: number[], megabytes = 100, cpuSeconds = 0.1, p50 = 1): Row {
  const rounds = rates.map(
    (rate): Figures => ({
      operations: 10,
      seconds: 1,
      mebibytes: 0,
      p50,
      p95: 0,
      p99: 2,
      cpuSeconds,
      rate,
      serverCpuSeconds: 1,
      peakMemory: { bytes: megabytes * 1e6, kind: 'pages' },
    }),
  )
  return { server, rounds, note: null }
}

function lineOf(name: string, rows: Row[]): Line {
  const workload: Workload = {
    name,
    title: name,
    shape: { kind: 'catalog' },
    group: name,
    clients: 1,
    count: 1,
    quickCount: 1,
    unit: 'requests/s',
  }
  return { workload, rows }
}

test('the spread is the median with the extremes', () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, low: 1, high: 3 })
  expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, low: 1, high: 4 })
  expect(spreadOf([])).toBeNull()
})

test('ratios are made of neighbouring rounds, not of medians', () => {
  const ours = rowOf('entrepot', [10, 40, 90])
  const theirs = rowOf('docker-registry', [10, 20, 30])
  expect(ratioOf(ours, theirs)).toEqual({ median: 2, low: 1, high: 3 })
  expect(ratioOf(ours, rowOf('docker-registry', []))).toBeNull()
})

test('targets are judged by the median, memory by the peak', () => {
  const lines = [
    lineOf('push-1m', [rowOf('entrepot', [20, 21, 19]), rowOf('docker-registry', [10, 10, 10])]),
    lineOf('pull-50x100m', [rowOf('entrepot', [1, 1], 151)]),
    lineOf('tags-1k', [rowOf('entrepot', [100])]),
    lineOf('tags-10k', [rowOf('entrepot', [100], 100, 0.1, 1.3)]),
  ]
  const verdicts = judge(
    lines,
    [
      { kind: 'ratio', line: 'push-1m', peer: 'docker-registry', atLeast: 2 },
      { kind: 'ratio', line: 'pull-1m', peer: 'docker-registry', atLeast: 2 },
      { kind: 'memory', line: 'pull-50x100m', atMostMB: 150 },
      { kind: 'flat', small: 'tags-1k', large: 'tags-10k', atMost: 1.25 },
    ],
    'entrepot',
  )
  expect(verdicts.map(({ met }) => met)).toEqual([true, false, false])
})

test('a figure near the ceiling or of a busy generator is marked', () => {
  const ceiling = rowOf('ceiling', [100])
  expect(limitedByGenerator(rowOf('entrepot', [50]), ceiling)).toBe(false)
  expect(limitedByGenerator(rowOf('entrepot', [80]), ceiling)).toBe(true)
  expect(limitedByGenerator(rowOf('entrepot', [50], 100, 0.95), ceiling)).toBe(true)
})

test('a rate and a latency are judged of the server that they are about', () => {
  const lines = [lineOf('l', [rowOf('entrepot', [100]), rowOf('replicas', [400, 310, 500])])]
  const targets = [
    { kind: 'rate', line: 'l', server: 'replicas', atLeast: 300 },
    { kind: 'rate', line: 'l', server: 'entrepot', atLeast: 300 },
    { kind: 'rate', line: 'l', server: 'postgres', atLeast: 300 },
    { kind: 'latency', line: 'l', server: 'replicas', p95AtMostMs: 1000 },
  ] as const
  expect(judge(lines, targets, 'entrepot').map(({ met }) => met)).toEqual([true, false, true])
})

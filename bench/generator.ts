import { createPayloadSource, MiB } from './payloads.ts'
import type { Answer, GeneratorFigures, Order } from './protocol.ts'
import { prepare } from './shapes.ts'
import { createStage, runSteps, type Stage } from './stage.ts'
import { workloads } from './workloads.ts'

const largestMiB = 100

/**
 * The process that makes the load. It prepares a run, waits for the word, runs it and reports; it
 * shares nothing with the servers but the machine, and its own CPU time is part of the report.
 */
export function runGenerator(): void {
  const payloads = createPayloadSource(largestMiB * MiB)
  const stages = new Map<string, Stage>()
  let start: (() => Promise<void>) | null = null

  process.on('disconnect', () => process.exit(0))
  process.on('message', (order: Order) => {
    handle(order).catch((error: unknown) => {
      answer({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
    })
  })

  async function handle(order: Order): Promise<void> {
    if (order.type === 'quit') process.exit(0)
    if (order.type === 'go') {
      const run = start
      start = null
      if (run === null) throw new Error('nothing is prepared')
      return run()
    }
    const workload = workloads.find(({ name }) => name === order.workload)
    if (workload === undefined) throw new Error(`no line ${order.workload}`)
    const prepared = await prepare(await stageOf(order), workload, order.run)
    if (prepared === null) return answer({ type: 'skipped' })
    start = async () => {
      try {
        answer({ type: 'done', ...(await measure(prepared.steps, order.count)) })
      } finally {
        prepared.close()
      }
    }
    // The garbage of seeding must not be collected on the clock.
    Bun.gc(true)
    answer({ type: 'ready' })
  }

  async function stageOf(order: Order & { type: 'prepare' }): Promise<Stage> {
    let stage = stages.get(order.stage)
    if (stage === undefined) {
      const { endpoint, prefix, verify, database } = order
      stage = await createStage({ endpoint, payloads, prefix, verify, database })
      stages.set(order.stage, stage)
    }
    return stage
  }
}

async function measure(
  steps: Parameters<typeof runSteps>[0],
  operations: number,
): Promise<GeneratorFigures> {
  const before = process.cpuUsage()
  const { seconds, mebibytes, milliseconds } = await runSteps(steps, operations)
  const used = process.cpuUsage(before)
  milliseconds.sort((a, b) => a - b)
  return {
    operations,
    seconds,
    mebibytes,
    p50: percentile(milliseconds, 0.5),
    p95: percentile(milliseconds, 0.95),
    p99: percentile(milliseconds, 0.99),
    cpuSeconds: (used.user + used.system) / 1e6,
  }
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

function answer(message: Answer): void {
  process.send?.(message)
}

import { join } from 'node:path'
import { type Memory, watchMemory } from './memory.ts'
import { cpuSeconds } from './processes.ts'
import type { Answer, GeneratorFigures, Order } from './protocol.ts'
import type { Server } from './servers.ts'
import type { Workload } from './workloads.ts'

/** One round of one line against one server. */
export type Figures = GeneratorFigures & {
  /** In the unit of the line. */
  rate: number
  /** CPU seconds of the server's process tree, null where it runs elsewhere. */
  serverCpuSeconds: number | null
  peakMemory: Memory | null
}

type Job = {
  stage: string
  server: Server
  verify: boolean
  workload: Workload
  count: number
}

export type Conductor = {
  /** Null where the line has no meaning for the server. */
  measure(job: Job): Promise<Figures | null>
  close(): Promise<void>
}

/** Starts the generator and gives it one run at a time. */
export function createConductor(prefix: string): Conductor {
  let resolve: (answer: Answer) => void = () => undefined
  let reject: (error: Error) => void = () => undefined
  let runs = 0
  const generator = Bun.spawn([process.execPath, join(import.meta.dir, 'main.ts'), '--generator'], {
    stdin: 'ignore',
    stdout: 'inherit',
    stderr: 'inherit',
    ipc(answer: Answer) {
      resolve(answer)
    },
    onExit(_process, code) {
      reject(new Error(`the generator ended with ${code}`))
    },
  })

  return { measure, close }

  async function measure(job: Job): Promise<Figures | null> {
    const { server, workload } = job
    runs += 1
    const ready = await ask({
      type: 'prepare',
      stage: job.stage,
      endpoint: server.endpoint,
      verify: job.verify,
      database: server.database,
      prefix,
      workload: workload.name,
      run: `${workload.name}-${runs}`,
      count: job.count,
    })
    if (ready.type === 'skipped') return null
    // Dirty pages of whoever ran before must not be written back in this one's time.
    await Bun.spawn(['sync']).exited
    const { pids } = server
    const memory = pids === null ? null : watchMemory(...pids)
    const before = pids === null ? 0 : cpuSeconds(...pids)
    let answer: Answer
    let peakMemory: Memory | null = null
    try {
      answer = await ask({ type: 'go' })
    } finally {
      peakMemory = memory?.stop() ?? null
    }
    if (answer.type !== 'done') throw new Error(`unexpected answer ${answer.type}`)
    const { type: _, ...figures } = answer
    const amount = workload.unit === 'MiB/s' ? figures.mebibytes : figures.operations
    return {
      ...figures,
      rate: amount / figures.seconds,
      serverCpuSeconds: pids === null ? null : cpuSeconds(...pids) - before,
      peakMemory,
    }
  }

  async function ask(order: Order): Promise<Answer> {
    const answered = new Promise<Answer>((onAnswer, onError) => {
      resolve = onAnswer
      reject = onError
    })
    generator.send(order)
    const answer = await answered
    if (answer.type === 'failed') throw new Error(answer.message)
    return answer
  }

  async function close(): Promise<void> {
    generator.send({ type: 'quit' } satisfies Order)
    await generator.exited
  }
}

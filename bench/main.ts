import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Conductor, createConductor } from './conductor.ts'
import { describeMachine, renderMachine } from './machine.ts'
import { type Options, parseOptions, usage } from './options.ts'
import {
  ceilingName,
  judge,
  type Line,
  type Row,
  renderGrowth,
  renderLine,
  renderVerdicts,
} from './report.ts'
import type { Contestant, Server } from './servers.ts'
import { targets, type Workload, workloads } from './workloads.ts'

const ours = 'entrepot'

/** One server while a group of lines runs on it, and the rows it fills. */
type Entry = {
  contestant: Contestant
  server: Server | null
  stage: string
  problem: string | null
}

const running = new Set<Server>()
let lives = 0

await main(process.argv.slice(2))

async function main(args: string[]): Promise<void> {
  // The same program in three roles, so that each is a process with a CPU time of its own.
  if (args[0] === '--generator') return (await import('./generator.ts')).runGenerator()
  if (args[0] === '--responder') return (await import('./responder.ts')).runResponder()
  if (args[0] === 'copy') return (await import('./copy.ts')).benchCopy(args.slice(1))
  if (args.includes('--help')) return print(usage)
  if (args.includes('--list')) {
    return print(workloads.map(({ name, title }) => `${name.padEnd(23)}${title}`).join('\n'))
  }
  let options: Options
  try {
    options = parseOptions(args, process.env)
  } catch (error) {
    print(error instanceof Error ? error.message : String(error))
    process.exitCode = 2
    return
  }
  const dir = mkdtempSync(join(options.dir, 'entrepot-bench-'))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => abandon(dir))
  try {
    await run(options, dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
  await leave()
}

/** The engines run until this process is gone, and would keep it alive. */
async function leave(): Promise<void> {
  // All that was printed, also into a pipe.
  await new Promise((written) => process.stdout.write('', written))
  process.exit()
}

/** An interrupted run leaves no server and no gigabytes behind. */
async function abandon(dir: string): Promise<void> {
  await Promise.all([...running].map((server) => server.stop()))
  rmSync(dir, { recursive: true, force: true })
  process.exit(130)
}

async function run(options: Options, dir: string): Promise<void> {
  const machine = describeMachine(dir)
  print(renderMachine(machine))
  for (const { name, about } of options.contestants) print(`${name}: ${about}`)
  const lines: Line[] = []
  // Unique names for a peer that keeps its content from one run of the bench to the next.
  const conductor = createConductor(`bench/${Date.now().toString(36)}`)
  try {
    for (const group of groupsOf(options.lines)) {
      lines.push(...(await runGroup(group, options, conductor, dir)))
    }
  } finally {
    await conductor.close()
  }
  const growth = renderGrowth(lines, targets)
  if (growth !== null) print(`\n${growth}`)
  const verdicts = judge(lines, targets, ours)
  if (verdicts.length > 0) print(`\n${renderVerdicts(verdicts)}`)
  if (options.json !== null) {
    const date = new Date().toISOString()
    const { quick, rounds } = options
    writeFileSync(
      options.json,
      `${JSON.stringify({ date, machine, quick, rounds, lines, verdicts }, null, 2)}\n`,
    )
  }
  const failed = lines.some(({ rows }) => rows.some(({ note }) => note?.startsWith('failed')))
  if (failed || (options.check && verdicts.some(({ met }) => !met))) process.exitCode = 1
}

function groupsOf(lines: readonly Workload[]): Workload[][] {
  return [...Map.groupBy(lines, ({ group }) => group).values()]
}

async function runGroup(
  group: readonly Workload[],
  options: Options,
  conductor: Conductor,
  dir: string,
): Promise<Line[]> {
  const entries: Entry[] = []
  try {
    for (const contestant of options.contestants) entries.push(await startEntry(contestant, dir))
    const lines: Line[] = []
    for (const workload of group) {
      const line = await runLine(workload, entries, options, conductor)
      print(`\n${renderLine(line)}`)
      lines.push(line)
    }
    return lines
  } finally {
    for (const { server } of entries) {
      if (server === null) continue
      await server.stop()
      running.delete(server)
    }
  }
}

async function startEntry(contestant: Contestant, dir: string): Promise<Entry> {
  lives += 1
  const stage = `${contestant.name}-${lives}`
  try {
    const server = await contestant.start(join(dir, stage))
    running.add(server)
    return { contestant, server, stage, problem: null }
  } catch (error) {
    return { contestant, server: null, stage, problem: `failed to start: ${messageOf(error)}` }
  }
}

/** A B A B A B: what else the machine does meets all servers alike. */
async function runLine(
  workload: Workload,
  entries: readonly Entry[],
  options: Options,
  conductor: Conductor,
): Promise<Line> {
  const rows = entries.map(
    ({ contestant, problem }): Row => ({ server: contestant.name, rounds: [], note: problem }),
  )
  for (let round = 0; round <= options.rounds; round++) {
    for (const [i, { contestant, server, stage }] of entries.entries()) {
      const row = rows[i]
      if (row === undefined || row.note !== null || server === null) continue
      // Round 0 warms up: compilers, caches and connections of both sides.
      const count = countOf(workload, contestant, options)
      const share = round === 0 ? Math.max(workload.clients, Math.ceil(count / 10)) : count
      const job = { stage, server, verify: contestant.verify, workload, count: share }
      try {
        const figures = await conductor.measure(job)
        if (figures === null) row.note = 'does not apply'
        else if (round > 0) row.rounds.push(figures)
      } catch (error) {
        row.note = `failed: ${messageOf(error)}`
        row.rounds = []
      }
    }
  }
  return { workload, rows }
}

/** Canned answers are over too soon for a figure: small ones are asked for more often. */
function countOf(workload: Workload, { name }: Contestant, { quick }: Options): number {
  const count = quick ? workload.quickCount : workload.count
  return name === ceilingName && workload.unit !== 'MiB/s' ? count * 5 : count
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

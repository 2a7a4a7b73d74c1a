import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { pushIndex } from './copy-image.ts'
import { type CopyTool, copyTools, type Places } from './copy-tools.ts'
import { describeMachine, renderMachine } from './machine.ts'
import { cpuSeconds } from './processes.ts'
import { entrepot, localPeer, type Server } from './servers.ts'

/*
 * `npm run bench -- copy`: a multi-arch image from one registry to another, by `entrepot copy` and by
 * what else copies on this machine, in rounds A B C A B C. Every copy goes to a repository of its
 * own, so that nothing is skipped.
 */

type End = 'docker-registry' | 'entrepot'

interface Options {
  from: End
  to: End
  mib: number
  blobCount: number
  rounds: number
  dir: string
}

const running: Server[] = []

/** Measures what `args` say, and prints it. */
export async function benchCopy(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      mib: { type: 'string', default: '512' },
      blobs: { type: 'string', default: '8' },
      rounds: { type: 'string', default: '3' },
      from: { type: 'string', default: 'docker-registry' },
      to: { type: 'string', default: 'docker-registry' },
      dir: { type: 'string', default: tmpdir() },
    },
  })
  const dir = mkdtempSync(join(values.dir, 'entrepot-bench-copy-'))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void stopAll(dir).then(() => process.exit(130))
    })
  }
  const { mib, blobs, rounds } = values
  const [from, to] = [endOf(values.from), endOf(values.to)]
  if (from === 'entrepot' && to === 'entrepot') throw new Error('one end is a docker-registry')
  try {
    await run({ from, to, mib: Number(mib), blobCount: Number(blobs), rounds: Number(rounds), dir })
  } finally {
    await stopAll(dir)
  }
}

function endOf(name: string): End {
  if (name === 'docker-registry' || name === 'entrepot') return name
  throw new Error(`--from and --to take docker-registry or entrepot, not "${name}"`)
}

async function stopAll(dir: string): Promise<void> {
  await Promise.all(running.splice(0).map((server) => server.stop()))
  rmSync(dir, { recursive: true, force: true })
}

/** What a copy took. */
interface Cost {
  seconds: number
  /** Of all that had part in it: the command, the server that copies, both registries. */
  cpu: number
}

async function run(options: Options): Promise<void> {
  const { mib, blobCount, rounds, dir, from, to } = options
  const program = Bun.which('docker-registry')
  if (program === null) throw new Error('docker-registry is needed: it holds both ends')
  print(renderMachine(describeMachine(dir)))
  const start = async (name: string, contestant: ReturnType<typeof localPeer>) => {
    const server = await contestant.start(join(dir, name))
    running.push(server)
    return server.endpoint
  }
  const loopback = { ENTREPOT_HUB_ALLOWED_NETWORKS: '127.0.0.0/8' }
  const ours = await start('ours', entrepot({ settings: loopback }))
  const end = async (name: string, kind: End) =>
    kind === 'entrepot' ? ours : start(name, localPeer('docker-registry', program, false))
  const places: Places = { entrepot: ours, from: await end('from', from), to: await end('to', to) }
  const pids = running.flatMap((server) => server.pids ?? [])
  const tools = await copyTools(places, dir)

  print(`\nAn index of two images, ${blobCount} layers of ${mib} MiB together, random bytes;`)
  print(`${from} to ${to}, ${rounds} rounds after one that is not counted\n`)
  const costs = new Map<CopyTool, Cost[]>(tools.map((tool) => [tool, []]))
  // Entrepot would mount what it has in another repository, so it gets other bytes each time.
  const isAnew = to === 'entrepot'
  if (!isAnew) await pushIndex(places.from, 'bench/app', options)
  for (let round = 0; round <= rounds; round++) {
    for (const tool of tools) {
      const name = `${tool.name.split(' ')[0]}-${round}`
      const source = isAnew ? `bench/app-${name}` : 'bench/app'
      if (isAnew) await pushIndex(places.from, source, options)
      await Bun.spawn(['sync']).exited
      const [startedAt, before] = [performance.now(), cpuSeconds(...pids)]
      const own = await tool.copy(`${source}:1`, `bench/${name}`)
      const seconds = (performance.now() - startedAt) / 1000
      const cpu = own + cpuSeconds(...pids) - before
      if (round > 0) costs.get(tool)?.push({ seconds, cpu })
    }
  }
  report(tools, costs, mib)
}

function report(
  tools: readonly CopyTool[],
  costs: ReadonlyMap<CopyTool, Cost[]>,
  mib: number,
): void {
  const [ours] = tools
  const oursTook = (ours && costs.get(ours)) ?? []
  const spread = (numbers: number[]) =>
    `${middle(numbers).toFixed(2)} (${Math.min(...numbers).toFixed(2)} - ${Math.max(...numbers).toFixed(2)})`
  const header = ['s, median (lowest - highest)', 'MiB/s', 'CPU s, of all', 'this / entrepot']
  print(line('tool', header))
  for (const tool of tools) {
    const took = costs.get(tool) ?? []
    const seconds = took.map((one) => one.seconds)
    const ratios = seconds.map((second, i) => second / (oursTook[i]?.seconds ?? second))
    const rate = (mib / middle(seconds)).toFixed(0)
    const cpu = spread(took.map((one) => one.cpu))
    print(line(tool.name, [spread(seconds), rate, cpu, tool === ours ? '' : spread(ratios)]))
  }
  print('\n"this / entrepot" above 1: `entrepot copy` is faster.')
}

function line(name: string, [seconds = '', rate = '', cpu = '', ratio = '']: string[]): string {
  return [name.padEnd(20), seconds.padEnd(30), rate.padEnd(7), cpu.padEnd(22), ratio].join(' ')
}

function middle(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

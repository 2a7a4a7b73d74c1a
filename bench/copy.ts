import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type CopyTool, copyTools, type Places } from './copy-tools.ts'
import { describeMachine, renderMachine } from './machine.ts'
import { entrepot, localPeer, type Server } from './servers.ts'

/*
 * `npm run bench -- copy`: a multi-arch image from one registry to another, by `entrepot copy` and by
 * what else copies on this machine, in rounds A B C A B C. Every copy goes to a repository of its
 * own, so that nothing is skipped.
 */

interface Options {
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
  try {
    await run({ mib: Number(mib), blobCount: Number(blobs), rounds: Number(rounds), dir })
  } finally {
    await stopAll(dir)
  }
}

async function stopAll(dir: string): Promise<void> {
  await Promise.all(running.splice(0).map((server) => server.stop()))
  rmSync(dir, { recursive: true, force: true })
}

async function run(options: Options): Promise<void> {
  const { mib, blobCount, rounds, dir } = options
  const program = Bun.which('docker-registry')
  if (program === null) throw new Error('docker-registry is needed: it holds both ends')
  print(renderMachine(describeMachine(dir)))
  const start = async (name: string, contestant: ReturnType<typeof localPeer>) => {
    const server = await contestant.start(join(dir, name))
    running.push(server)
    return server
  }
  const loopback = { ENTREPOT_HUB_ALLOWED_NETWORKS: '127.0.0.0/8' }
  const places: Places = {
    entrepot: (await start('ours', entrepot({ settings: loopback }))).endpoint,
    from: (await start('from', localPeer('docker-registry', program, false))).endpoint,
    to: (await start('to', localPeer('docker-registry', program, false))).endpoint,
  }
  const tools = await copyTools(places, dir)
  await pushIndex(places, options)

  print(`\nAn index of two images, ${blobCount} layers of ${mib} MiB together, random bytes;`)
  print(`docker-registry to docker-registry, ${rounds} rounds after one that is not counted\n`)
  const seconds = new Map<CopyTool, number[]>(tools.map((tool) => [tool, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const tool of tools) {
      await Bun.spawn(['sync']).exited
      const startedAt = performance.now()
      await tool.copy('bench/app:1', `bench/${tool.name.split(' ')[0]}-${round}`)
      const took = (performance.now() - startedAt) / 1000
      if (round > 0) seconds.get(tool)?.push(took)
    }
  }
  report(tools, seconds, mib)
}

function report(
  tools: readonly CopyTool[],
  seconds: ReadonlyMap<CopyTool, number[]>,
  mib: number,
): void {
  const [ours] = tools
  const oursTook = (ours && seconds.get(ours)) ?? []
  print(`${'tool'.padEnd(24)}${'s, median (lowest - highest)'.padEnd(34)}MiB/s   this / entrepot`)
  for (const tool of tools) {
    const took = seconds.get(tool) ?? []
    const ratios = took.map((second, i) => second / (oursTook[i] ?? second))
    const spread = `${middle(took).toFixed(2)} (${Math.min(...took).toFixed(2)} - ${Math.max(...took).toFixed(2)})`
    const rate = (mib / middle(took)).toFixed(0).padStart(5)
    const ratio = `${middle(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} - ${Math.max(...ratios).toFixed(2)})`
    print(`${tool.name.padEnd(24)}${spread.padEnd(34)}${rate}   ${tool === ours ? '' : ratio}`)
  }
  print('\n"this / entrepot" above 1: `entrepot copy` is faster.')
}

function middle(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** Pushes `bench/app:1` to where it is copied from. */
async function pushIndex(
  { from }: Places,
  { mib, blobCount }: Pick<Options, 'mib' | 'blobCount'>,
): Promise<void> {
  const base = `http://${from.host}:${from.port}/v2/bench/app`
  const types = 'application/vnd.oci.image'
  const send = async (url: string, method: string, body: Uint8Array<ArrayBuffer>, type: string) => {
    const headers = { 'content-type': type }
    const answer = await fetch(url, { method, headers, body })
    if (!answer.ok) throw new Error(`${method} ${url} answered ${answer.status}`)
  }
  const digestOf = (bytes: Uint8Array) => `sha256:${Bun.CryptoHasher.hash('sha256', bytes, 'hex')}`
  const blob = async (bytes: Uint8Array<ArrayBuffer>, mediaType: string) => {
    const digest = digestOf(bytes)
    const post = await fetch(`${base}/blobs/uploads/`, { method: 'POST' })
    const location = new URL(post.headers.get('location') ?? '', base)
    location.searchParams.set('digest', digest)
    await send(location.href, 'PUT', bytes, 'application/octet-stream')
    return { mediaType, digest, size: bytes.length }
  }
  const manifest = async (fields: object, mediaType: string, tag?: string) => {
    const text = JSON.stringify({ schemaVersion: 2, mediaType, ...fields })
    const bytes = new TextEncoder().encode(text)
    const digest = digestOf(bytes)
    await send(`${base}/manifests/${tag ?? digest}`, 'PUT', bytes, mediaType)
    return { mediaType, digest, size: bytes.length }
  }

  const size = Math.round((mib * 1024 * 1024) / blobCount)
  const children: object[] = []
  for (const architecture of ['amd64', 'arm64']) {
    const layers: object[] = []
    for (let i = 0; i < blobCount / 2; i++) {
      const bytes = new Uint8Array(size)
      for (let at = 0; at < size; at += 65_536) {
        crypto.getRandomValues(bytes.subarray(at, Math.min(size, at + 65_536)))
      }
      layers.push(await blob(bytes, `${types}.layer.v1.tar`))
    }
    const about = { architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: [] } }
    const text = new TextEncoder().encode(JSON.stringify(about))
    const config = await blob(text, `${types}.config.v1+json`)
    const image = await manifest({ config, layers }, `${types}.manifest.v1+json`)
    children.push({ ...image, platform: { architecture, os: 'linux' } })
  }
  await manifest({ manifests: children }, `${types}.index.v1+json`, '1')
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

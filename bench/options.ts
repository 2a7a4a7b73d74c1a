import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { engineContestants } from './engines.ts'
import { type Contestant, ceiling, entrepot, knownPeers, localPeer, remotePeer } from './servers.ts'
import { engineLines, type Workload, workloads } from './workloads.ts'

export type Options = {
  contestants: Contestant[]
  lines: Workload[]
  rounds: number
  quick: boolean
  json: string | null
  /** Where the data folders of the servers go. */
  dir: string
  /** End with an error where a target is missed. */
  check: boolean
}

export const usage = `npm run bench -- [options]

  --only LINE,...        only these lines
  --quick                fewer operations per round; for finding slow paths, not for publishing
  --rounds N             rounds per line (3)
  --peer NAME=PROGRAM    measure this program too; NAME is one of ${knownPeers.join(', ')}
  --peer NAME=URL        measure a registry that runs already, http://[user:password@]host:port[#PID]
  --servers NAME,...     only these of the servers (entrepot, ceiling and the peers)
  --engines              one process, PostgreSQL, S3 and replicas too, and peers on the same S3
  --auth                 start the peers with htpasswd authentication
  --dir DIR              where the servers keep their data while they run (${tmpdir()})
  --json FILE            write all figures to FILE
  --check                exit with 1 where a target is missed
  --list                 list the lines

Peers can also be given in ENTREPOT_BENCH_PEERS, separated by spaces. docker-registry is
measured without being asked for where it is installed.
`

/** Reads the command line; throws with a sentence for what cannot be meant. */
export function parseOptions(args: string[], env: Record<string, string | undefined>): Options {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '3' },
      peer: { type: 'string', multiple: true, default: [] },
      servers: { type: 'string' },
      engines: { type: 'boolean', default: false },
      auth: { type: 'boolean', default: false },
      dir: { type: 'string', default: tmpdir() },
      json: { type: 'string' },
      check: { type: 'boolean', default: false },
    },
  })
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`--rounds takes a number from 1, not "${values.rounds}"`)
  }
  const peers = [...(env.ENTREPOT_BENCH_PEERS ?? '').split(' ').filter(Boolean), ...values.peer]
  const engines = values.engines ? engineContestants(distributionsIn(peers)) : []
  const all = [entrepot(), ...engines, ...peersOf(peers, values.auth), ceiling()]
  return {
    contestants: choose(all, values.servers, 'server'),
    lines: choose(
      workloads,
      values.only ?? (values.engines ? engineLines.join() : undefined),
      'line',
    ),
    rounds,
    quick: values.quick,
    json: values.json ?? null,
    dir: values.dir,
    check: values.check,
  }
}

function peersOf(specifications: readonly string[], auth: boolean): Contestant[] {
  const peers = specifications.map((specification) => {
    const split = specification.indexOf('=')
    const name = split < 0 ? specification : specification.slice(0, split)
    const where = split < 0 ? specification : specification.slice(split + 1)
    if (/^http:\/\//.test(where)) return remotePeer(name, where)
    const program = Bun.which(where)
    if (program === null) throw new Error(`--peer ${specification}: no such program`)
    return localPeer(name, program, auth)
  })
  const installed = Bun.which('docker-registry')
  if (installed !== null && !peers.some(({ name }) => name === 'docker-registry')) {
    peers.unshift(localPeer('docker-registry', installed, auth))
  }
  return peers
}

/** Programs of distribution, old and new, by name. */
function distributionsIn(specifications: readonly string[]): Map<string, string> {
  const found = new Map<string, string>()
  const installed = Bun.which('docker-registry')
  if (installed !== null) found.set('docker-registry', installed)
  for (const specification of specifications) {
    const [name = '', where = name] = specification.split(/=(.*)/s)
    const program = Bun.which(where)
    if (['docker-registry', 'distribution'].includes(name) && program) found.set(name, program)
  }
  return found
}

function choose<T extends { name: string }>(
  all: readonly T[],
  names: string | undefined,
  what: string,
): T[] {
  if (names === undefined) return [...all]
  const known = all.map(({ name }) => name)
  const wanted = names.split(',')
  for (const name of wanted) {
    if (!known.includes(name)) {
      throw new Error(`no ${what} "${name}"; there are ${known.join(', ')}`)
    }
  }
  return all.filter(({ name }) => wanted.includes(name))
}

import { spawnSync } from 'node:child_process'

/*
 * Networks of their own on one machine: hub, runner and registry, each with a loopback, no way out,
 * and a wire to its neighbour alone. The test itself sits at the first wire.
 *
 *   test 10.213.1.1 – 10.213.1.2 hub 10.213.2.1 – 10.213.2.2 runner 10.213.3.1 – 10.213.3.2 registry
 */

export const HUB_FOR_TEST = '10.213.1.2'
export const HUB_FOR_RUNNER = '10.213.2.1'
export const REGISTRY = '10.213.3.2'

export interface Namespaces {
  /** Put before a command, so that it runs in the network of one of them. */
  readonly in: (who: Who) => readonly string[]
  /** Whether there is a way from one of them to an address, as its routes say. */
  readonly hasRoute: (who: Who, address: string) => boolean
  /** The wire between hub and runner. */
  readonly setWire: (state: 'up' | 'down') => void
  readonly remove: () => void
}

type Who = 'hub' | 'runner' | 'registry'

const ip = (...args: string[]): boolean => spawnSync('ip', args).status === 0

/** Why there can be none; undefined: there can. */
export const whyNoNamespaces = (): string | undefined => {
  if (process.platform !== 'linux') return 'Linux'
  if (process.getuid?.() !== 0) return 'the rights of root'
  const name = `ens-try-${process.pid}`
  if (!ip('netns', 'add', name)) return '`ip netns`'
  const works = ip('netns', 'exec', name, 'ip', 'link', 'set', 'lo', 'up')
  const pair = ['type', 'veth', 'peer', 'name', 'ens-try-b']
  const hasWires = ip('-n', name, 'link', 'add', 'ens-try-a', ...pair)
  ip('netns', 'del', name)
  if (!works) return '`ip netns exec`'
  return hasWires ? undefined : 'links of the type veth'
}

/** @throws Error when a step fails; nothing is left then */
export const createNamespaces = (): Namespaces => {
  const id = process.pid.toString(36)
  const names: Record<Who, string> = {
    hub: `ens-h-${id}`,
    runner: `ens-r-${id}`,
    registry: `ens-g-${id}`,
  }
  const remove = () => {
    // With a namespace its ends of the wires go, and with an end the wire.
    for (const name of Object.values(names)) ip('netns', 'del', name)
  }
  const demand = (...args: string[]) => {
    const { status, stderr } = spawnSync('ip', args)
    if (status === 0) return
    remove()
    throw new Error(`ip ${args.join(' ')}: ${stderr}`)
  }
  const inside = (who: Who, ...args: string[]) => demand('-n', names[who], ...args)

  for (const who of ['hub', 'runner', 'registry'] as const) {
    demand('netns', 'add', names[who])
    inside(who, 'link', 'set', 'lo', 'up')
  }
  const wire = (name: string, from: Who | undefined, to: Who, network: string) => {
    const [left, right] = [`${name}a${id}`, `${name}b${id}`]
    const at = from === undefined ? [] : ['netns', names[from]]
    demand('link', 'add', left, ...at, 'type', 'veth', 'peer', 'name', right, 'netns', names[to])
    const there = from === undefined ? [] : ['-n', names[from]]
    demand(...there, 'addr', 'add', `${network}.1/24`, 'dev', left)
    demand(...there, 'link', 'set', left, 'up')
    inside(to, 'addr', 'add', `${network}.2/24`, 'dev', right)
    inside(to, 'link', 'set', right, 'up')
    return right
  }
  wire('t', undefined, 'hub', '10.213.1')
  const atRunner = wire('h', 'hub', 'runner', '10.213.2')
  wire('r', 'runner', 'registry', '10.213.3')

  return {
    in: (who) => ['ip', 'netns', 'exec', names[who]],
    hasRoute: (who, address) => ip('-n', names[who], 'route', 'get', address),
    setWire: (state) => inside('runner', 'link', 'set', atRunner, state),
    remove,
  }
}

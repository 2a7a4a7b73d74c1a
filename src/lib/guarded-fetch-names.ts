import { lookup } from 'node:dns/promises'
import { type BlockList, isIP } from 'node:net'
import type { Clock } from './clock.ts'
import { AppError } from './errors.ts'
import { type AddressKind, kindOfAddress, unwrapAddress } from './guarded-fetch-address.ts'
import { nameFailure } from './guarded-fetch-errors.ts'

export interface Target {
  url: URL
  /** Without brackets. */
  hostname: string
  /** As in the URL, with the port unless it is the default one. */
  host: string
  port: string
}

/** Every address of a name. */
export type Resolve = (hostname: string) => Promise<string[]>

const KEEP_MS = 10_000
const MOST_NAMES = 1000
const RESOLVE_MS = 10_000

const WHAT: Record<Exclude<AddressKind, 'public' | 'private'>, string> = {
  loopback: 'a loopback address',
  'link-local': 'a link-local address',
  metadata: "the address of a cloud's metadata service",
  multicast: 'a multicast address',
  reserved: 'a reserved address',
}

/** Resolves names and decides which of their addresses may be asked. */
export function createNames({
  allowed,
  clock,
  resolve = resolveBySystem,
}: {
  allowed: BlockList
  clock: Clock
  resolve?: Resolve | undefined
}) {
  const known = new Map<string, { addresses: string[]; until: number }>()

  async function addressesOf(target: Target, allowPrivate: readonly string[]): Promise<string[]> {
    const all = isIP(target.hostname) === 0 ? await resolved(target) : [target.hostname]
    const permitted = all.filter((address) => isPermitted(address, target, allowPrivate))
    if (permitted.length > 0) return permitted
    throw refusal(target, kindOfAddress(all[0] ?? ''))
  }

  function isPermitted(address: string, target: Target, allowPrivate: readonly string[]): boolean {
    const kind = kindOfAddress(address)
    if (kind === 'public') return true
    if (kind === 'private' && allowPrivate.some((entry) => isEntryOf(entry, target))) return true
    return isWithin(allowed, address) || isWithin(allowed, unwrapAddress(address))
  }

  async function resolved({ hostname, host }: Target): Promise<string[]> {
    const kept = known.get(hostname)
    if (kept && kept.until > clock()) return kept.addresses
    const addresses = await resolve(hostname).catch(() => [])
    if (addresses.length === 0) throw nameFailure(host)
    if (known.size >= MOST_NAMES) known.clear()
    known.set(hostname, { addresses, until: clock() + KEEP_MS })
    return addresses
  }

  return {
    /** @throws AppError `address_refused`, or `remote_unreachable` for an unknown name */
    addressesOf,
    /** This one answered: it is tried first from now on. */
    prefer({ hostname }: Target, address: string): void {
      const kept = known.get(hostname)
      if (!kept || kept.addresses[0] === address) return
      kept.addresses = [address, ...kept.addresses.filter((other) => other !== address)]
    },
  }
}

/** The address itself is not told: who may not reach it need not learn it from a name. */
function refusal({ host, hostname, port }: Target, kind: AddressKind): AppError {
  const details = { problem: 'address', kind, host }
  if (kind === 'private') {
    const exact = `${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`
    return new AppError(
      'address_refused',
      `${host} has a private address; a system administrator can allow exactly ${exact}`,
      details,
    )
  }
  const what = kind === 'public' ? 'an unknown address' : WHAT[kind]
  return new AppError(
    'address_refused',
    `${host} has ${what}, which is not asked unless the setting hub.allowedNetworks holds it`,
    details,
  )
}

function isEntryOf(entry: string, { hostname, port }: Target): boolean {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(entry.toLowerCase())
  return match !== null && (match[1] ?? match[2]) === hostname && match[3] === port
}

function isWithin(list: BlockList, address: string): boolean {
  const version = isIP(address)
  return version !== 0 && list.check(address, version === 6 ? 'ipv6' : 'ipv4')
}

async function resolveBySystem(hostname: string): Promise<string[]> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error('the name server is silent')), RESOLVE_MS)
  try {
    const found = await Promise.race([lookup(hostname, { all: true }), late])
    return found.map(({ address }) => address)
  } finally {
    clearTimeout(timer)
  }
}

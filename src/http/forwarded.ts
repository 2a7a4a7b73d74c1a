import { BlockList, isIP } from 'node:net'

/** How the client reached us: its address, and the scheme and host it used. */
export interface Reached {
  address: string
  scheme: 'http' | 'https'
  host: string
}

/**
 * Reads `X-Forwarded-For`, `-Proto` and `-Host`, but only from proxies that the settings name:
 * from anybody else they are claims.
 * @param trusted addresses and CIDR ranges
 */
export function createForwarded(trusted: readonly string[]) {
  const isTrusted = createAddressCheck(trusted)

  return (headers: Headers, peer: string, direct: Omit<Reached, 'address'>): Reached => {
    const address = plainAddress(peer)
    if (trusted.length === 0 || !isTrusted(address)) return { address, ...direct }
    const hops = (headers.get('x-forwarded-for') ?? '').split(',').map(addressOfHop)
    // From the right: the first hop that is not one of our proxies is the client. One that nobody
    // can read ends the search, since what stands left of it is the word of a stranger.
    const client = hops.reverse().find((hop) => !hop || !isTrusted(hop))
    const scheme = first(headers.get('x-forwarded-proto'))
    const host = first(headers.get('x-forwarded-host'))
    return {
      address: client || address,
      scheme: scheme === 'https' || scheme === 'http' ? scheme : direct.scheme,
      host: host && HOST.test(host) ? host : direct.host,
    }
  }
}

/** Whether an address is one of these addresses or lies in one of these CIDR ranges. */
export function createAddressCheck(entries: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return (address) => {
    const family = isIP(address)
    return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4')
  }
}

const HOST = /^[a-zA-Z0-9.-]+(:\d{1,5})?$|^\[[0-9a-fA-F:]+\](:\d{1,5})?$/

/** Safe to echo in a header. */
export function isHost(text: string): boolean {
  return HOST.test(text)
}

function first(value: string | null): string | undefined {
  return value?.split(',')[0]?.trim()
}

/** Empty for what is no address. Some proxies add the port: `10.0.0.1:80`, `[fd00::1]:80`. */
function addressOfHop(hop: string): string {
  const text = hop.trim()
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d+)?$/.exec(text) ?? []
  const address = plainAddress(bracketed ?? plain ?? text)
  return isIP(address) === 0 ? '' : address
}

/** IPv4 peers of a dual-stack socket look like `::ffff:10.0.0.1`. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
}

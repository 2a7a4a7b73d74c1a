import { BlockList, isIP } from 'node:net'

/*
 * Which addresses a user may make this program talk to. Everything that is not the public internet
 * has a kind here, so that a new special range is one line.
 */

export type AddressKind =
  | 'public'
  /** RFC 1918, unique local, and the shared range in which clouds put their inner endpoints. */
  | 'private'
  | 'loopback'
  | 'link-local'
  /** Hands out the credentials of the machine to everybody on it. */
  | 'metadata'
  | 'multicast'
  /** Unspecified, for documentation and tests, or wrapping another address. */
  | 'reserved'

/** The first range that holds the address decides. */
const RANGES: [AddressKind, string[]][] = [
  [
    'metadata',
    [
      '169.254.169.254/32', // AWS, Google, Azure, Huawei and most others
      '169.254.170.2/32', // AWS containers
      '169.254.170.23/32',
      '169.254.0.23/32', // Tencent
      '100.100.100.200/32', // Alibaba
      '168.63.129.16/32', // Azure, of a public range
      '192.0.0.192/32', // Oracle
      'fd00:ec2::/32', // AWS
      'fd20:ce::254/128', // Google
    ],
  ],
  ['loopback', ['127.0.0.0/8', '::1/128']],
  ['link-local', ['169.254.0.0/16', 'fe80::/10']],
  ['private', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7']],
  ['multicast', ['224.0.0.0/4', 'ff00::/8']],
  [
    'reserved',
    [
      '0.0.0.0/8',
      '192.0.0.0/24',
      '192.0.2.0/24',
      '192.88.99.0/24',
      '198.18.0.0/15',
      '198.51.100.0/24',
      '203.0.113.0/24',
      '240.0.0.0/4',
      '::/96', // unspecified, and IPv4 in its oldest wrapping
      '::ffff:0:0:0/96', // IPv4-translated (RFC 7915), which is not IPv4-mapped
      '64:ff9b::/32', // NAT64 that is not the well-known prefix
      '100::/64',
      '2001::/23', // Teredo, ORCHID, benchmarks
      '2001:db8::/32',
      '2002::/16', // 6to4
      '3fff::/20',
      '5f00::/16',
      'fec0::/10',
    ],
  ],
]

const lists = RANGES.map(([kind, ranges]) => ({ kind, list: rangeList(ranges) }))
/** IPv4-mapped (RFC 4291) and NAT64 (RFC 6052): the IPv4 address inside is who answers. */
const WRAPPED = /^(?:::ffff:|64:ff9b::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/

/** @param address IPv4, or IPv6 without brackets and zone */
export function kindOfAddress(address: string): AddressKind {
  const plain = unwrapAddress(address)
  const family = isIP(plain)
  if (family === 0) return 'reserved'
  const version = family === 6 ? 'ipv6' : 'ipv4'
  return lists.find(({ list }) => list.check(plain, version))?.kind ?? 'public'
}

/** The canonical form; of an IPv4 address in an IPv6 one the IPv4 address. */
export function unwrapAddress(address: string): string {
  if (isIP(address) !== 6 || !URL.canParse(`http://[${address}]`)) return address
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [, high, low] = WRAPPED.exec(canonical) ?? []
  if (high === undefined || low === undefined) return canonical
  const value = Number.parseInt(high, 16) * 0x1_0000 + Number.parseInt(low, 16)
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.')
}

/** @param ranges addresses and CIDR ranges */
export function rangeList(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', bits] = range.split('/')
    const version = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, version)
    else list.addSubnet(address, Number(bits), version)
  }
  return list
}

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'
import { bits, boolean, integer, octets, oid, sequence, set, tagged, time, utf8 } from './der.ts'

const DAY_MS = 86_400_000
const ECDSA_WITH_SHA256 = sequence(oid('1.2.840.10045.4.3.2'))

export interface SelfSignedOptions {
  /** Host names and IP addresses that the certificate is for; the first one is its subject. */
  names: string[]
  now: number
  /** Browsers on Apple systems refuse more than 825. */
  days: number
}

/**
 * A certificate that vouches for itself, with its key, both PEM (X.509 v3 as of RFC 5280, ECDSA on
 * P-256). Clients that trust it as an authority accept it.
 */
export function createSelfSigned({ names, now, days }: SelfSignedOptions): {
  cert: string
  key: string
} {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = sequence(set(sequence(oid('2.5.4.3'), utf8((names[0] ?? 'localhost').slice(0, 64)))))
  const serial = randomBytes(16)
  const body = sequence(
    tagged(0, true, integer(Buffer.from([2]))),
    integer(serial),
    ECDSA_WITH_SHA256,
    name,
    // Clocks of clients may be behind.
    sequence(time(now - DAY_MS), time(now + days * DAY_MS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(3, true, sequence(...extensions(names))),
  )
  const signature = sign('sha256', body, privateKey)
  return {
    cert: pem('CERTIFICATE', sequence(body, ECDSA_WITH_SHA256, bits(signature))),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function extensions(names: string[]): Uint8Array[] {
  const alternatives = names.map((name) =>
    isIP(name) === 0
      ? tagged(2, false, Buffer.from(name))
      : tagged(7, false, Buffer.from(addressBytes(name))),
  )
  const serverAuth = oid('1.3.6.1.5.5.7.3.1')
  return [
    // An authority of itself, so that a trust store that asks for one takes it; it signs no other.
    extension('2.5.29.19', true, sequence(boolean(true), integer(Buffer.from([0])))),
    // digitalSignature and keyCertSign: bits 0 and 5, so two bits of the byte are unused.
    extension('2.5.29.15', true, bits(Buffer.from([0b1000_0100]), 2)),
    extension('2.5.29.37', false, sequence(serverAuth)),
    extension('2.5.29.17', false, sequence(...alternatives)),
  ]
}

function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(value))
}

/** 4 or 16 bytes. */
function addressBytes(address: string): number[] {
  if (isIP(address) === 4) return address.split('.').map(Number)
  // The canonical form of a URL has no embedded IPv4 part and no zone.
  const canonical = new URL(`http://[${address.split('%')[0]}]`).hostname.slice(1, -1)
  const [head = '', tail] = canonical.split('::')
  const words = (part: string) => (part === '' ? [] : part.split(':'))
  const [left, right] = [words(head), words(tail ?? '')]
  const gap = tail === undefined ? 0 : 8 - left.length - right.length
  return [...left, ...Array<string>(gap).fill('0'), ...right].flatMap((word) => {
    const value = Number.parseInt(word, 16)
    return [value >> 8, value & 0xff]
  })
}

function pem(label: string, content: Uint8Array): string {
  const lines =
    Buffer.from(content)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}

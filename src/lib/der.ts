/*
 * Just enough of DER (ITU-T X.690) to write a certificate: every value is tag, length, content.
 */

function der(tag: number, ...content: Uint8Array[]): Uint8Array {
  const body = Buffer.concat(content)
  return Buffer.concat([Buffer.from([tag]), length(body.length), body])
}

/** Short form below 128, else the number of length bytes and these (section 8.1.3). */
function length(bytes: number): Uint8Array {
  if (bytes < 0x80) return Buffer.from([bytes])
  if (bytes < 0x100) return Buffer.from([0x81, bytes])
  return Buffer.from([0x82, bytes >> 8, bytes & 0xff])
}

export const sequence = (...content: Uint8Array[]) => der(0x30, ...content)
export const set = (...content: Uint8Array[]) => der(0x31, ...content)
export const boolean = (value: boolean) => der(0x01, Buffer.from([value ? 0xff : 0]))
export const octets = (content: Uint8Array) => der(0x04, content)
export const utf8 = (text: string) => der(0x0c, Buffer.from(text))

/** A positive integer, big-endian: a leading bit must not make it negative. */
export function integer(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0)
  const short = first === -1 ? Buffer.from([0]) : bytes.subarray(first)
  return der(0x02, ...((short[0] ?? 0) >= 0x80 ? [Buffer.from([0])] : []), short)
}

/** Whole bytes, or with the last `unused` bits left out. */
export function bits(content: Uint8Array, unused = 0): Uint8Array {
  return der(0x03, Buffer.from([unused]), content)
}

/** `1.2.840…`: the first two numbers share a byte, the others are base 128 (section 8.19). */
export function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const number of rest) {
    const groups = [number & 0x7f]
    for (let high = Math.floor(number / 128); high > 0; high = Math.floor(high / 128)) {
      groups.unshift((high & 0x7f) | 0x80)
    }
    bytes.push(...groups)
  }
  return der(0x06, Buffer.from(bytes))
}

/** UTCTime to 2049, GeneralizedTime after (RFC 5280 section 4.1.2.5). */
export function time(milliseconds: number): Uint8Array {
  const digits = new Date(milliseconds).toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  return new Date(milliseconds).getUTCFullYear() < 2050
    ? der(0x17, Buffer.from(digits.slice(2)))
    : der(0x18, Buffer.from(digits))
}

/** `[n]`: context-specific, constructed where it wraps other values. */
export function tagged(number: number, constructed: boolean, ...content: Uint8Array[]): Uint8Array {
  return der((constructed ? 0xa0 : 0x80) | number, ...content)
}

import { createHash, createHmac } from 'node:crypto'
import type { Seen } from './test-cloud.ts'

/*
 * What the local clouds share to check a signature: they start from the request as it came over the
 * wire and know nothing of the code that signed it.
 */

export function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

export function hmacOf(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

/** `name:value` lines of the headers that were signed, in the order of the list. */
export function headerLines(
  seen: Seen,
  signedHeaders: string,
  shape: (value: string) => string = (value) => value,
): string {
  const lines = signedHeaders.split(';').map((name) => {
    const value = seen.headers.get(name)
    if (value === null) throw new Error(`the signed header ${name} did not arrive`)
    return `${name}:${shape(value.trim())}\n`
  })
  return lines.join('')
}

/** The raw query, sorted; it has to be encoded as RFC 3986 wants, which is checked here too. */
export function sortedQuery(seen: Seen): string {
  const raw = seen.target.split('?')[1] ?? ''
  if (raw === '') return ''
  return raw
    .split('&')
    .map((part) => {
      const [name = '', value = ''] = part.split('=')
      return `${strictlyEncoded(name)}=${strictlyEncoded(value)}`
    })
    .sort()
    .join('&')
}

/** As the vendors decode a form and encode again. */
function strictlyEncoded(raw: string): string {
  const text = decodeURIComponent(raw.replaceAll('+', ' '))
  return [...Buffer.from(text)]
    .map((byte) => {
      const character = String.fromCharCode(byte)
      if (/[A-Za-z0-9._~-]/.test(character)) return character
      return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    })
    .join('')
}

/** `name=value` parts of an Authorization header. */
export function authorizationParts(seen: Seen): Record<string, string> {
  const text = seen.headers.get('authorization') ?? ''
  const [algorithm = '', ...rest] = text.split(' ')
  const parts = rest
    .join(' ')
    .split(',')
    .map((part) => {
      const equals = part.indexOf('=')
      return [part.slice(0, equals).trim(), part.slice(equals + 1).trim()]
    })
  return { algorithm, ...Object.fromEntries(parts) }
}

import { randomBytes, randomUUID } from 'node:crypto'

/** 256 random bits, base64url: for secrets, which therefore need only one hash at rest. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** `bytes` random bytes as lower-case hex: for storage keys and request ids. */
export function newHex(bytes: number): string {
  return randomBytes(bytes).toString('hex')
}

export function newUuid(): string {
  return randomUUID()
}

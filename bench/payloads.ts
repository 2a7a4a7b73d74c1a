import { randomBytes, randomFillSync } from 'node:crypto'

export const MiB = 1024 * 1024
const chunkSize = 32 * 1024
const tailSize = 32

/** A blob that no server has seen yet. */
export type Payload = {
  size: number
  /** `sha256:` and 64 hex digits. */
  digest: string
  /** The bytes as they are, in order. */
  plain: readonly Uint8Array[]
  /** The same bytes as a chunked body of RFC 9112 section 7.1, with its last chunk. */
  chunked: readonly Uint8Array[]
}

export type PayloadSource = { next(size: number): Payload }

/**
 * Makes unique blobs for nothing: all blobs of a size share their random bytes except the last 32,
 * and the digest starts from a copy of the hash of the shared part. So neither random bytes nor
 * SHA-256 are paid while the clock runs, and still no server can deduplicate anything.
 *
 * Chunks are of 32 KiB, which is what Go's HTTP client sends for a streamed body.
 */
export function createPayloadSource(largest: number): PayloadSource {
  const shared = randomFillSync(Buffer.allocUnsafe(largest))
  const hashes = new Map<number, Bun.CryptoHasher>()
  let framed: Buffer | null = null

  return { next }

  function next(size: number): Payload {
    if (size > largest || size < 2 * tailSize) throw new Error(`no payload of ${size} bytes`)
    const prefix = shared.subarray(0, size - tailSize)
    const tail = randomBytes(tailSize)
    const digest = prefixHash(prefix).copy().update(tail).digest('hex')
    return {
      size,
      digest: `sha256:${digest}`,
      plain: [prefix, tail],
      get chunked() {
        return frame(prefix, tail)
      },
    }
  }

  function prefixHash(prefix: Buffer): Bun.CryptoHasher {
    let hash = hashes.get(prefix.length)
    if (hash === undefined) {
      hash = new Bun.CryptoHasher('sha256').update(prefix)
      hashes.set(prefix.length, hash)
    }
    return hash
  }

  function frame(prefix: Buffer, tail: Buffer): Uint8Array[] {
    framed ??= frameAll(shared)
    const whole = Math.floor(prefix.length / chunkSize)
    const frameSize = framed.length / Math.floor(shared.length / chunkSize)
    const rest = prefix.subarray(whole * chunkSize)
    const end = [chunkOf(rest), chunkOf(tail), Buffer.from('0\r\n\r\n')]
    return [framed.subarray(0, whole * frameSize), Buffer.concat(end)]
  }
}

function frameAll(bytes: Buffer): Buffer {
  const chunks: Buffer[] = []
  for (let at = 0; at + chunkSize <= bytes.length; at += chunkSize) {
    chunks.push(chunkOf(bytes.subarray(at, at + chunkSize)))
  }
  return Buffer.concat(chunks)
}

function chunkOf(bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes
  return Buffer.concat([
    Buffer.from(`${bytes.length.toString(16)}\r\n`),
    bytes,
    Buffer.from('\r\n'),
  ])
}

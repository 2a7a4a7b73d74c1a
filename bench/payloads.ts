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
    if (size < 2 * tailSize) throw new Error(`no payload of ${size} bytes`)
    const pieces = repeated(size - tailSize)
    const tail = randomBytes(tailSize)
    const digest = prefixHash(pieces, size).copy().update(tail).digest('hex')
    return {
      size,
      digest: `sha256:${digest}`,
      plain: [...pieces, tail],
      get chunked() {
        const [prefix] = pieces
        if (prefix === undefined || pieces.length > 1) throw new Error('too large to be framed')
        return frame(prefix, tail)
      },
    }
  }

  /** The shared bytes, again and again where they are not enough. */
  function repeated(size: number): Buffer[] {
    const pieces: Buffer[] = []
    for (let left = size; left > 0; left -= largest) pieces.push(shared.subarray(0, left))
    return pieces
  }

  function prefixHash(pieces: readonly Buffer[], size: number): Bun.CryptoHasher {
    let hash = hashes.get(size)
    if (hash === undefined) {
      hash = new Bun.CryptoHasher('sha256')
      for (const piece of pieces) hash.update(piece)
      hashes.set(size, hash)
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

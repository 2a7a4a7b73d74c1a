import { type Digest, toDigest } from '../../oci/digest.ts'

const ALGORITHMS = ['sha256', 'sha512'] as const

/**
 * Every digest that these bytes can go by. A manifest that was pushed by its sha512 has a sha256
 * where it was pushed by a tag, and both are the same image.
 */
export function namesOfContent(bytes: Uint8Array): Digest[] {
  return ALGORITHMS.map((algorithm) =>
    toDigest(algorithm, Bun.CryptoHasher.hash(algorithm, bytes, 'hex')),
  )
}

/*
 * Digests (image-spec, descriptor.md, "Digests"): `algorithm ":" encoded`. sha256 and sha512 are
 * the registered algorithms that we can compute; others may stand in descriptors, but no content
 * can be stored under them.
 */

export type DigestAlgorithm = 'sha256' | 'sha512'

/** A well-formed digest of an algorithm that we support. Made by `parseDigest` only. */
export type Digest = string & { readonly __digest: true }

const HEX_LENGTH: Record<DigestAlgorithm, number> = { sha256: 64, sha512: 128 }
const GRAMMAR = /^[a-z0-9]+([+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/
const LOWER_HEX = /^[0-9a-f]+$/

/** The digest of no bytes at all. */
export const EMPTY_SHA256 =
  'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' as Digest

export function isDigestAlgorithm(text: string): text is DigestAlgorithm {
  return text === 'sha256' || text === 'sha512'
}

/** undefined: not a digest, or one of an algorithm that we do not support. */
export function parseDigest(text: string): Digest | undefined {
  const colon = text.indexOf(':')
  const algorithm = text.slice(0, colon)
  const encoded = text.slice(colon + 1)
  if (colon < 0 || !isDigestAlgorithm(algorithm)) return undefined
  if (encoded.length !== HEX_LENGTH[algorithm] || !LOWER_HEX.test(encoded)) return undefined
  return text as Digest
}

/** True for what may stand in a descriptor: well-formed, the algorithm known or not. */
export function isDescriptorDigest(text: string): boolean {
  const algorithm = text.slice(0, Math.max(0, text.indexOf(':')))
  if (isDigestAlgorithm(algorithm)) return parseDigest(text) !== undefined
  return text.length <= 255 && GRAMMAR.test(text)
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256'
}

export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1)
}

export function toDigest(algorithm: DigestAlgorithm, hex: string): Digest {
  return `${algorithm}:${hex}` as Digest
}

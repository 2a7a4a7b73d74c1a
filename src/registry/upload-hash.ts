import type { CryptoHasher } from 'bun'
import { type Digest, type DigestAlgorithm, toDigest } from '../oci/digest.ts'

/** The running hashes of an upload: sha256 always, since it names the content, and the asked one. */
export interface UploadHash {
  update(chunk: Uint8Array): void
  /** Of everything so far; the hash can go on afterwards. */
  digest(algorithm: DigestAlgorithm): Digest | undefined
}

export function createUploadHash(algorithm: DigestAlgorithm): UploadHash {
  const hashers = new Map<DigestAlgorithm, CryptoHasher>()
  for (const name of new Set<DigestAlgorithm>(['sha256', algorithm])) {
    hashers.set(name, new Bun.CryptoHasher(name))
  }
  return {
    update(chunk) {
      for (const hasher of hashers.values()) hasher.update(chunk)
    },
    digest(name) {
      const hasher = hashers.get(name)
      return hasher && toDigest(name, hasher.copy().digest('hex'))
    },
  }
}

/** Hashes of sessions that may go on in this process, so that nobody reads their bytes again. */
export interface HashCache {
  keep(upload: string, offset: number, hash: UploadHash): void
  /** The hash, if it stands at exactly this offset. It is handed over: a second take finds none. */
  take(upload: string, offset: number): UploadHash | undefined
}

export function createHashCache(limit = 1_000): HashCache {
  const kept = new Map<string, { offset: number; hash: UploadHash }>()
  return {
    keep(upload, offset, hash) {
      kept.set(upload, { offset, hash })
      const oldest = kept.size > limit ? kept.keys().next().value : undefined
      if (oldest !== undefined) kept.delete(oldest)
    },
    take(upload, offset) {
      const entry = kept.get(upload)
      kept.delete(upload)
      return entry?.offset === offset ? entry.hash : undefined
    },
  }
}

import type { CryptoHasher } from 'bun'
import { type Digest, type DigestAlgorithm, toDigest } from '../oci/digest.ts'

/** The running hashes of an upload: sha256 always, since it names the content, and the asked one. */
export interface UploadHash {
  update(chunk: Uint8Array): void
  /** Of everything so far; the hash can go on afterwards. */
  digest(algorithm: DigestAlgorithm): Digest | undefined
  /** For another process to go on with; null where it cannot. */
  save(): string | null
}

export function createUploadHash(algorithm: DigestAlgorithm): UploadHash {
  const hashers = new Map<DigestAlgorithm, CryptoHasher>()
  for (const name of algorithmsWith(algorithm)) hashers.set(name, new Bun.CryptoHasher(name))
  return {
    update(chunk) {
      for (const hasher of hashers.values()) hasher.update(chunk)
    },
    digest(name) {
      const hasher = hashers.get(name)
      return hasher && toDigest(name, hasher.copy().digest('hex'))
    },
    save: () => null,
  }
}

/**
 * As `createUploadHash`, at a fifth of its speed, with a state that can be kept; `saved` is one.
 * Its code is loaded when it is first needed.
 */
export async function createSavableHash(
  algorithm: DigestAlgorithm,
  saved?: string,
): Promise<UploadHash> {
  const { createSHA256, createSHA512 } = await import('hash-wasm')
  const states = saved === undefined ? undefined : (JSON.parse(saved) as Record<string, string>)
  const names = states ? (Object.keys(states) as DigestAlgorithm[]) : algorithmsWith(algorithm)
  const hashers = await Promise.all(
    names.map(async (name) => {
      const hasher = await (name === 'sha256' ? createSHA256() : createSHA512())
      hasher.init()
      const state = states?.[name]
      if (state !== undefined) hasher.load(Buffer.from(state, 'base64'))
      return { name, hasher }
    }),
  )
  return {
    update(chunk) {
      for (const { hasher } of hashers) hasher.update(chunk)
    },
    digest(asked) {
      const hasher = hashers.find(({ name }) => name === asked)?.hasher
      if (!hasher) return undefined
      const state = hasher.save()
      const hex = hasher.digest('hex')
      hasher.load(state)
      return toDigest(asked, hex)
    },
    save() {
      const entries = hashers.map(({ name, hasher }) => [
        name,
        Buffer.from(hasher.save()).toString('base64'),
      ])
      return JSON.stringify(Object.fromEntries(entries))
    },
  }
}

function algorithmsWith(algorithm: DigestAlgorithm): DigestAlgorithm[] {
  return [...new Set<DigestAlgorithm>(['sha256', algorithm])]
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

import { createHash } from 'node:crypto'

const MOST = 500

/**
 * What a vendor gave for a credential, kept until shortly before it expires: Docker Hub, for one,
 * counts logins more strictly than anything else. Keyed by the credential, never by the record that
 * holds it, so that changed keys are used at once.
 */
export interface TokenMemory<T> {
  /** Times in epoch milliseconds. */
  remember(
    credential: readonly string[],
    now: number,
    make: () => Promise<{ value: T; expiresAt: number }>,
  ): Promise<T>
  /** For a token that was refused before its time. */
  forget(credential: readonly string[]): void
}

export function createTokenMemory<T>(earlyMs = 30_000): TokenMemory<T> {
  const kept = new Map<string, { value: T; expiresAt: number }>()

  return {
    async remember(credential, now, make) {
      const key = keyOf(credential)
      const found = kept.get(key)
      if (found && found.expiresAt - earlyMs > now) return found.value
      const made = await make()
      kept.delete(key)
      kept.set(key, made)
      for (const oldest of kept.keys()) {
        if (kept.size <= MOST) break
        kept.delete(oldest)
      }
      return made.value
    },
    forget: (credential) => void kept.delete(keyOf(credential)),
  }
}

function keyOf(credential: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(credential)).digest('base64')
}

import { createHash } from 'node:crypto'

const MOST = 500

/**
 * What a vendor gave for a credential, kept until shortly before it expires: Docker Hub, for one,
 * counts logins more strictly than anything else. Keyed by the credential, never by the record that
 * holds it, so that changed keys are used at once.
 */
export function createTokenMemory<T>(earlyMs = 30_000) {
  const kept = new Map<string, { value: T; expiresAt: number }>()

  return async function remember(
    credential: readonly string[],
    now: number,
    make: () => Promise<{ value: T; expiresAt: number }>,
  ): Promise<T> {
    const key = createHash('sha256').update(JSON.stringify(credential)).digest('base64')
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
  }
}

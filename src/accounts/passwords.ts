import { AppError } from '../lib/errors.ts'
import { newSecret } from '../lib/ids.ts'
import { because } from '../lib/reasons.ts'

/**
 * argon2id with 9 MiB and four passes. OWASP's Password Storage Cheat Sheet names it among those of
 * equal strength; the more usual 19 MiB and two passes would be a seventh of all our memory, several
 * times over when people sign in at once.
 */
const ARGON2 = { algorithm: 'argon2id', memoryCost: 9_216, timeCost: 4 } as const

/** Longer ones are refused unread: nobody types them, and hashing them is work for a stranger. */
export const MAX_PASSWORD_BYTES = 1_024

export interface PasswordLimits {
  /** Hashes at once in this process. */
  concurrent: number
  /** How many more may wait, and how long, before they are sent away. */
  queue: number
  waitMs: number
}

/** Compares with a hash; without one it works as long and says no. */
type Verify = (password: string, hash: string | undefined) => Promise<boolean>

export interface Passwords {
  hash(password: string): Promise<string>
  /** Runs `work` in one of the few places for hashing; `rate_limited` when none gets free. */
  verifying<T>(work: (verify: Verify) => Promise<T>): Promise<T>
}

export function createPasswords(limits: Partial<PasswordLimits> = {}): Passwords {
  const places = createPlaces({ concurrent: 2, queue: 64, waitMs: 2_000, ...limits })
  // Made at the start: were it made at the first unknown name, that answer would take longer.
  const decoy = Bun.password.hash(newSecret(), ARGON2)

  const verify: Verify = async (password, hash) => {
    const against = hash ?? (await decoy)
    const good = await Bun.password.verify(password, against)
    return good && hash !== undefined
  }

  return {
    hash: (password) => places.inOne(() => Bun.password.hash(password, ARGON2)),
    verifying: (work) => places.inOne(() => work(verify)),
  }
}

function createPlaces({ concurrent, queue, waitMs }: PasswordLimits) {
  let taken = 0
  const waiting = new Set<() => void>()

  async function take(): Promise<void> {
    if (taken < concurrent) {
      taken++
      return
    }
    if (waiting.size >= queue) throw tooMany()
    await new Promise<void>((resolve, reject) => {
      const given = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        waiting.delete(given)
        reject(tooMany())
      }, waitMs)
      waiting.add(given)
    })
  }

  function give(): void {
    const [next] = waiting
    if (!next) {
      taken--
      return
    }
    waiting.delete(next)
    next()
  }

  return {
    async inOne<T>(work: () => Promise<T>): Promise<T> {
      await take()
      try {
        return await work()
      } finally {
        give()
      }
    },
  }
}

function tooMany(): AppError {
  return new AppError('rate_limited', 'too many people sign in at this moment; try again shortly', {
    retryAfter: 1,
    ...because('sign_in_paused', { seconds: 1 }),
  })
}

/** Throws `invalid_input` naming everything that a new password lacks. */
export function checkNewPassword(password: string): void {
  const lacks = [
    password.length < 8 && 'at least 8 characters',
    Buffer.byteLength(password) > MAX_PASSWORD_BYTES && `at most ${MAX_PASSWORD_BYTES} bytes`,
    !/\p{Lu}/u.test(password) && 'an upper-case letter',
    !/\p{Ll}/u.test(password) && 'a lower-case letter',
    !/\p{Nd}/u.test(password) && 'a digit',
    password.startsWith('ept_') && 'another beginning than "ept_", which marks API tokens',
  ].filter((lack) => lack !== false)
  if (lacks.length > 0) {
    throw new AppError('invalid_input', `the password needs ${lacks.join(', ')}`, {
      field: 'password',
      ...because('password_weak', {}),
    })
  }
}

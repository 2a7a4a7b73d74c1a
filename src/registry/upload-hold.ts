/** How often a writer says that it is alive; well below the lease. */
export const RENEW_MS = 5_000

/** Keeps a claim while something takes long in which no byte arrives. */
export interface Hold {
  during<T>(work: () => Promise<T>): Promise<T>
  /** Resolves when no renewal is under way any more: a late one would keep the next writer waiting. */
  end(): Promise<void>
}

/**
 * The copy of what another writer left in a bucket, the hash of what is there, a store that makes one
 * wait, the end of a multipart upload: all may take longer than the lease. Without a renewal the next
 * try of an impatient client would take the session over and begin all of it again, for ever. A client
 * that sends nothing is another matter: what waits for it is not done `during` a hold.
 */
export function createHold(renew: () => Promise<unknown>, everyMs = RENEW_MS): Hold {
  let working = 0
  let renewing: Promise<unknown> = Promise.resolve()
  const timer = setInterval(() => {
    if (working > 0) renewing = renew().catch(() => {})
  }, everyMs)
  return {
    async during(work) {
      working++
      try {
        return await work()
      } finally {
        working--
      }
    },
    async end() {
      clearInterval(timer)
      await renewing
    },
  }
}

/** Keeps a claim during one piece of work. */
export async function heldDuring<T>(
  renew: () => Promise<unknown>,
  work: () => Promise<T>,
): Promise<T> {
  const hold = createHold(renew)
  try {
    return await hold.during(work)
  } finally {
    await hold.end()
  }
}

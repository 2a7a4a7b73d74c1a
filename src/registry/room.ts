import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { formatBytes } from '../lib/format.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'

/** Left free for the database, so that deleting and reading go on when pushing has to stop. */
const RESERVE_BYTES = 64 * 1024 * 1024
const REMEMBER_MS = 1_000

export interface Room {
  /**
   * Refuses what would fill the disk. While it is nearly full nothing more is taken, and as soon
   * as there is room again everything is.
   * @throws AppError storage_full
   */
  demand(bytes: number): Promise<void>
}

export function createRoom({ store, clock }: { store: BlobStore; clock: Clock }): Room {
  let known = { free: 0, until: 0 }
  return {
    async demand(bytes) {
      const now = clock()
      if (known.until <= now) known = { free: await store.room(), until: now + REMEMBER_MS }
      if (known.free - bytes >= RESERVE_BYTES) return
      throw new AppError(
        'storage_full',
        `the disk of the registry is nearly full: ${formatBytes(known.free)} are left, and ` +
          `${formatBytes(RESERVE_BYTES)} are kept free; nothing can be pushed until an ` +
          'administrator of the system makes room',
        { retryAfter: 60 },
      )
    },
  }
}

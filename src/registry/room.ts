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

export function createRoom({
  store,
  clock,
}: {
  store: Pick<BlobStore, 'room'>
  clock: Clock
}): Room {
  let known = { free: 0, until: 0 }
  const look = async () => {
    known = { free: await store.room(), until: clock() + REMEMBER_MS }
  }
  const isEnough = (bytes: number) => known.free - bytes >= RESERVE_BYTES
  return {
    async demand(bytes) {
      const isRemembered = known.until > clock()
      if (!isRemembered) await look()
      if (isEnough(bytes)) return
      // Every process remembers for itself. Nobody is refused for what another one knows to be over.
      if (isRemembered) await look()
      if (isEnough(bytes)) return
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

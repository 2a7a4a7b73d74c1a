import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { formatBytes } from '../lib/format.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import type { Db } from '../store/db/database.ts'
import { DATABASE_RESERVE_BYTES as RESERVE_BYTES } from '../store/db/reserve.ts'

const REMEMBER_MS = 1_000

export interface Room {
  /**
   * Refuses what would fill the disk. While it is nearly full nothing more is taken, and as soon
   * as there is room again everything is.
   * @throws AppError storage_full
   */
  demand(bytes: number): Promise<void>
}

interface Disk {
  /** Whose it is, for whoever reads that it is full. */
  of: string
  room(): Promise<number>
  /** What is pushed is written there. */
  takesBlobs: boolean
}

/** Watches the disk of the blobs and, where that is another one or a bucket, of the database. */
export function createRoom({
  store,
  db,
  clock,
}: {
  store: Pick<BlobStore, 'room'>
  db: Pick<Db, 'room'>
  clock: Clock
}): Room {
  const disks: Disk[] = [
    { of: 'the registry', room: () => store.room(), takesBlobs: true },
    { of: 'the database', room: () => db.room(), takesBlobs: false },
  ]
  let known = { free: disks.map(() => 0), until: 0 }
  const look = async () => {
    const free = await Promise.all(disks.map(({ room }) => room()))
    known = { free, until: clock() + REMEMBER_MS }
  }
  const lacking = (bytes: number) =>
    disks.findIndex(({ takesBlobs }, i) => {
      return (known.free[i] ?? 0) - (takesBlobs ? bytes : 0) < RESERVE_BYTES
    })
  return {
    async demand(bytes) {
      const isRemembered = known.until > clock()
      if (!isRemembered) await look()
      if (lacking(bytes) < 0) return
      // Every process remembers for itself. Nobody is refused for what another one knows to be over.
      if (isRemembered) await look()
      const full = lacking(bytes)
      const disk = disks[full]
      if (!disk) return
      throw new AppError(
        'storage_full',
        `the disk of ${disk.of} is nearly full: ${formatBytes(known.free[full] ?? 0)} are left, and ` +
          `${formatBytes(RESERVE_BYTES)} are kept free; nothing can be pushed until an ` +
          'administrator of the system makes room',
        { retryAfter: 60 },
      )
    },
  }
}

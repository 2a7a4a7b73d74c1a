import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import type { Db } from '../store/db/database.ts'
import type { UploadOpenings } from './upload-openings.ts'
import { isOwner, type Upload, type UploadOwner, uploadUnknown } from './upload-owner.ts'
import { claimUpload, QUICK_SINGLE, uploadById } from './upload-statements.ts'

/** A writer that has not said for so long that bytes arrive may be replaced. */
export const WRITER_LEASE_MS = 15_000
/** How long a second writer waits for the first one to finish. */
const CLAIM_PATIENCE_MS = 20_000
const CLAIM_PAUSE_MS = 100

/** A session that this process may write to. `takenOver`: from a writer that may still be alive. */
export interface ClaimedUpload {
  row: Upload
  takenOver: boolean
}

/** Waits for a running writer, takes over from one that is gone. */
export function createUploadClaims(deps: {
  db: Db
  clock: Clock
  openings: UploadOpenings
  /** Names this process in the rows. */
  writer: string
}): (id: string, owner: UploadOwner) => Promise<ClaimedUpload> {
  const { db, clock, openings, writer } = deps

  async function tryClaim(id: string, owner: UploadOwner): Promise<ClaimedUpload | undefined> {
    const { project, path } = owner.repository
    const mine = await openings.claimFree({ id, project, path, account: owner.account })
    if (mine) return { row: mine, takenOver: false }
    const now = clock()
    const until = now + WRITER_LEASE_MS
    const [seen] = await uploadById(db.query, { id })
    if (!seen || !isOwner(seen, owner)) throw uploadUnknown(id)
    if (seen.writer !== null && seen.writer_until > now) return undefined
    const [row] = await db.transaction(
      (tx) => claimUpload(tx, { id, epoch: seen.epoch, next: seen.epoch + 1, writer, until, now }),
      QUICK_SINGLE,
    )
    return row && { row, takenOver: seen.writer !== null }
  }

  return async (id, owner) => {
    const deadline = clock() + CLAIM_PATIENCE_MS
    for (;;) {
      const claimed = await tryClaim(id, owner)
      if (claimed) return claimed
      if (clock() > deadline) {
        throw new AppError(
          'rate_limited',
          'another request is still writing to this upload; wait for it or cancel the upload',
          { retryAfter: 5 },
        )
      }
      await Bun.sleep(CLAIM_PAUSE_MS)
    }
  }
}

export function lostUpload(): AppError {
  return new AppError(
    'upload_invalid',
    'another request took this upload over; ask for its state and go on from there',
  )
}

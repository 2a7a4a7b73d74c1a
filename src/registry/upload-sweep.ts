import type { Clock } from '../lib/clock.ts'
import type { Db } from '../store/db/database.ts'
import type { Upload, UploadSessions } from './upload-session.ts'

const BATCH = 100

export interface SweepOptions {
  /** Only open ones of one account; null: of nobody. */
  account?: number | null
  signal?: AbortSignal | undefined
}

/** Removes sessions that nobody used since `before`, with their bytes. Returns how many. */
export type UploadSweep = (before: number, options?: SweepOptions) => Promise<number>

export function createUploadSweep(deps: {
  db: Db
  clock: Clock
  sessions: Pick<UploadSessions, 'expire'>
  removeLeftover(upload: Upload): Promise<void>
}): UploadSweep {
  const { db, clock, sessions, removeLeftover } = deps

  return async (before, { account, signal } = {}) => {
    let swept = 0
    while (!signal?.aborted) {
      let idle = db.query
        .selectFrom('upload')
        .selectAll()
        .where('updated_at', '<', before)
        .where('writer_until', '<', clock())
        .orderBy('updated_at')
        .limit(BATCH)
      if (account !== undefined) {
        // Reservations have no account, and somebody may still be copying to their key.
        idle = idle
          .where('state', '=', 'open')
          .where('account', account === null ? 'is' : '=', account)
      }
      const rows = await idle.execute()
      for (const row of rows) {
        if (!(await sessions.expire(row))) continue
        await removeLeftover(row)
        swept++
      }
      if (rows.length < BATCH) break
    }
    return swept
  }
}

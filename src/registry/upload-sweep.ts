import type { Clock } from '../lib/clock.ts'
import type { Db } from '../store/db/database.ts'
import type { Upload } from './upload-owner.ts'
import type { UploadSessions } from './upload-session.ts'

const BATCH = 100

/** Removes sessions that nobody used since `before`, with their bytes. Returns how many. */
export type UploadSweep = (before: number, signal?: AbortSignal) => Promise<number>

export function createUploadSweep(deps: {
  db: Db
  clock: Clock
  sessions: Pick<UploadSessions, 'expire'>
  removeLeftover(upload: Upload): Promise<void>
}): UploadSweep {
  const { db, clock, sessions, removeLeftover } = deps

  return async (before, signal) => {
    let swept = 0
    while (!signal?.aborted) {
      const rows = await db.query
        .selectFrom('upload')
        .selectAll()
        .where('updated_at', '<', before)
        .where('writer_until', '<', clock())
        .orderBy('updated_at')
        .limit(BATCH)
        .execute()
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

import type { Clock } from '../lib/clock.ts'
import type { Projects } from './projects.ts'
import type { Room } from './room.ts'
import { lostUpload } from './upload-claims.ts'
import { createHold, RENEW_MS } from './upload-hold.ts'
import type { Upload } from './upload-owner.ts'
import type { UploadSessions } from './upload-session.ts'
import type { UploadWriter } from './upload-writer.ts'

/** How often a long upload is held against the room that is left, of the disk and the quota. */
const ROOM_CHECK_BYTES = 16 * 1024 * 1024

/** A chunk of many gigabytes is made safe this often, so that a crash does not cost all of it. */
const SAVE_BYTES = 1024 * 1024 * 1024

export type ByteStream = AsyncIterable<Uint8Array>

/**
 * Moves a body into a writer, renewing the claim while bytes arrive. `isKept`: what arrived is kept
 * when the rest does not come.
 * @throws AppError upload_invalid when somebody took the session over, storage_full, quota_exceeded
 */
export type ReceiveBody = (
  row: Upload,
  writer: UploadWriter,
  body: ByteStream,
  options?: { isKept?: boolean },
) => Promise<void>

export function createReceiveBody(deps: {
  sessions: Pick<UploadSessions, 'renew' | 'save'>
  projects: Pick<Projects, 'demandRoom'>
  room: Room
  clock: Clock
}): ReceiveBody {
  const { sessions, projects, room, clock } = deps

  return async (row, writer, body, { isKept = false } = {}) => {
    const begin = row.offset
    let saveAt = writer.offset + SAVE_BYTES
    let renewAt = clock() + RENEW_MS
    let roomAt = writer.offset + ROOM_CHECK_BYTES
    const hold = createHold(() => sessions.renew(row))
    try {
      for await (const chunk of body) {
        await hold.during(() => writer.write(chunk))
        if (writer.offset >= roomAt) {
          await room.demand(0)
          await projects.demandRoom(row.project_name, writer.offset - begin)
          roomAt = writer.offset + ROOM_CHECK_BYTES
        }
        if (isKept && writer.offset >= saveAt) {
          await sessions.save(row, await hold.during(() => writer.checkpoint()))
          saveAt = writer.offset + SAVE_BYTES
        }
        if (clock() < renewAt) continue
        if (!(await sessions.renew(row))) throw lostUpload()
        renewAt = clock() + RENEW_MS
      }
    } finally {
      await hold.end()
    }
  }
}

import type { AppError } from '../../lib/errors.ts'
import { storedSays, storedSaysOfAll } from '../../lib/stored-says.ts'
import type { CopyProgress } from '../runners/protocol.ts'
import type { RecordedProgress } from './recorder.ts'

/* What a run writes into the row of its transfer. */

export function progressColumns(progress: RecordedProgress | CopyProgress) {
  return {
    manifests: progress.manifests,
    blobs: JSON.stringify(progress.blobs),
    blobs_total: progress.blobsTotal,
    blobs_done: progress.blobsDone,
    bytes_total: progress.bytesTotal,
    bytes_sent: progress.bytesSent,
    bytes_skipped: progress.bytesSkipped,
    bytes_mounted: progress.bytesMounted,
    speed: progress.speed,
    notes: JSON.stringify(progress.notes),
    note_says: storedSaysOfAll(progress.notes, progress.noteSays ?? []),
  }
}

export function errorColumns(error: AppError | undefined) {
  return {
    error: error?.message ?? null,
    error_code: error?.code ?? null,
    error_says: storedSays(error?.message ?? null, error?.details.reason),
  }
}

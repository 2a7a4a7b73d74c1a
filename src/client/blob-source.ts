import { AppError } from '../lib/errors.ts'
import type { OpenBlob } from '../oci/registry.ts'

/** The bytes of a blob, part after part, however they have to be sent. */
export interface BlobSource {
  /** Exactly these bytes. Only one part is read at a time. */
  part(offset: number, length: number): Promise<ReadableStream<Uint8Array>>
  cancel(): Promise<void>
}

/**
 * Opens the blob once and cuts its stream into parts; opens it again only where a part does not
 * begin at the end of the one before.
 *
 * @param onBytes told the end of what was handed out
 */
export function createBlobSource(
  open: OpenBlob,
  signal: AbortSignal | undefined,
  onBytes: (end: number) => void,
): BlobSource {
  let reader: Reader | undefined
  let position = 0
  /** Read, and belongs to the next part. */
  let rest: Uint8Array | undefined

  async function close() {
    const old = reader
    reader = undefined
    rest = undefined
    await old?.cancel().catch(() => {})
  }

  return {
    async part(offset, length) {
      if (reader && position !== offset) await close()
      const mine = reader ?? (await open(offset, signal).catch(fail)).getReader()
      reader = mine
      position = offset
      const end = offset + length
      return new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            if (position === end) return controller.close()
            const piece = rest ?? (await mine.read().catch(fail)).value
            rest = undefined
            if (piece === undefined) fail(new AppError('size_invalid', TOO_SHORT))
            const left = end - position
            if (piece.length > left) rest = piece.subarray(left)
            const taken = piece.length > left ? piece.subarray(0, left) : piece
            position += taken.length
            onBytes(position)
            controller.enqueue(taken)
          },
          // What was taken may be lost on the way: the next part says where to begin.
          cancel: close,
        },
        { highWaterMark: 0 },
      )
    },
    cancel: close,
  }
}

interface Reader {
  read(): Promise<{ value?: Uint8Array | undefined }>
  cancel(): Promise<void>
}

const TOO_SHORT = 'the source of a blob ended before its last byte'

/** What went wrong where the bytes come from: no fault of the registry that they go to. */
export class SourceFailure extends Error {
  override readonly name = 'SourceFailure'
}

function fail(cause: unknown): never {
  throw new SourceFailure('the source of a blob failed', { cause })
}

/** One after the other costs a turn of both sides each: pieces are handed on in about this size. */
const PIECE_BYTES = 128 * 1024
/** Held for each blob under way, so that neither side waits for the other's next piece. */
const AHEAD_BYTES = 1024 * 1024

/**
 * The stream with a buffer of bounded size before it, which is filled while what was taken from it
 * is on its way.
 */
export function readAhead(source: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = source.getReader()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const pieces: Uint8Array[] = []
        let length = 0
        while (length < PIECE_BYTES) {
          const { done, value } = await reader.read()
          if (done) {
            if (length > 0) controller.enqueue(joined(pieces))
            controller.close()
            return
          }
          pieces.push(value)
          length += value.length
        }
        controller.enqueue(joined(pieces))
      },
      cancel: (reason) => reader.cancel(reason),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: AHEAD_BYTES }),
  )
}

function joined(pieces: Uint8Array[]): Uint8Array {
  const [only] = pieces
  return pieces.length === 1 && only ? only : Buffer.concat(pieces)
}

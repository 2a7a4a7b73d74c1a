import { AppError } from '../lib/errors.ts'

/**
 * The body of a request, chunk by chunk. A client that sends nothing for `idleMs` is given up:
 * Bun's own limit also cuts uploads that are slow but alive, so it is lifted for them.
 *
 * @throws AppError upload_invalid when the client went away or fell silent
 */
export async function* readBody(request: Request, idleMs: number): AsyncGenerator<Uint8Array> {
  if (!request.body) return
  const reader = request.body.getReader()
  let finished = false
  try {
    for (;;) {
      const { done, value } = await withinIdle(reader.read(), idleMs)
      if (done) break
      yield value
      leave(value.length)
    }
    finished = true
    demandWhole(request)
  } finally {
    // The rest of a body that nobody wants is drained by the server; the connection lives on.
    if (!finished) await reader.cancel().catch(() => {})
  }
}

/** Chunks that nobody holds any more take at most about this much, and half a second's worth. */
const LEFT_BYTES = 32 * 1024 * 1024
const COLLECT_AFTER_MS = 500
let left = 0
let collection: Timer | undefined

/**
 * The engine does not see how much memory the chunks of bodies take outside of its heap, and lets
 * hundreds of megabytes wait for a collection that takes a few milliseconds.
 */
function leave(bytes: number): void {
  left += bytes
  if (left < LEFT_BYTES || collection) return
  collection = setTimeout(() => {
    collection = undefined
    left = 0
    Bun.gc(true)
  }, COLLECT_AFTER_MS)
}

/**
 * The whole body, refused above `limit` bytes.
 * @throws AppError with `tooLarge`'s code
 */
export async function readWhole(
  request: Request,
  { limit, idleMs, tooLarge }: { limit: number; idleMs: number; tooLarge: () => AppError },
): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length') ?? 0) > limit) throw tooLarge()
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of readBody(request, idleMs)) {
    size += chunk.length
    if (size > limit) throw tooLarge()
    chunks.push(chunk)
  }
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks)
}

async function withinIdle<T>(read: Promise<T>, idleMs: number): Promise<T> {
  let timer: Timer | undefined
  const silent = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      // The rest of the body will not come, and nothing else can on this connection.
      const headers = { connection: 'close' }
      const message = `no byte arrived for ${idleMs / 1000} seconds`
      reject(new AppError('upload_invalid', message, { headers }))
    }, idleMs)
  })
  try {
    return await Promise.race([read, silent])
  } catch (error) {
    if (error instanceof AppError) throw error
    throw new AppError(
      'upload_invalid',
      'the client went away in the middle of the body',
      {},
      error,
    )
  } finally {
    clearTimeout(timer)
  }
}

/** A connection that breaks may look like the end of the body. */
function demandWhole(request: Request): void {
  if (request.signal.aborted) {
    throw new AppError('upload_invalid', 'the client went away in the middle of the body')
  }
}

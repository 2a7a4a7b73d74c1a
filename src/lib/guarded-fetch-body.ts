import { AppError } from './errors.ts'
import { formatBytes } from './format.ts'
import { remoteFailure } from './guarded-fetch-errors.ts'

const JSON_LIMIT = 1024 * 1024
/** What is small enough to be taken whole does not take longer; each piece has its own limit. */
const LONGEST_MS = 300_000

/**
 * The whole body, of at most `limit` bytes, within `longestMs`.
 * @throws AppError `remote_error` when there is more, `remote_unreachable` when it comes in drips;
 *   the rest is not taken
 */
export async function readBody(
  response: Response,
  limit: number,
  longestMs = LONGEST_MS,
): Promise<Uint8Array> {
  const announced = Number(response.headers.get('content-length') ?? 0)
  if (announced > limit) {
    await response.body?.cancel()
    throw tooLarge(limit)
  }
  const pieces: Uint8Array[] = []
  let size = 0
  const end = performance.now() + longestMs
  if (response.body) {
    for await (const piece of response.body) {
      size += piece.length
      // Leaving the loop cancels the stream.
      if (size > limit) throw tooLarge(limit)
      if (performance.now() > end) throw tooSlow(longestMs)
      pieces.push(piece)
    }
  }
  return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces, size)
}

/** @throws AppError `remote_error` when it is no JSON, or more than `limit` bytes */
export async function readJson(response: Response, limit = JSON_LIMIT): Promise<unknown> {
  const text = new TextDecoder().decode(await readBody(response, limit))
  try {
    return JSON.parse(text)
  } catch {
    // Without the cause, which quotes what may be a token.
    throw new AppError('remote_error', 'the answer is not JSON', { problem: 'answer' })
  }
}

function tooSlow(ms: number): AppError {
  const message = `the answer was not complete after ${Math.round(ms / 1000)} s`
  return remoteFailure('timeout', message)
}

function tooLarge(limit: number): AppError {
  const message = `the answer is larger than ${formatBytes(limit)}, more than is taken`
  return new AppError('remote_error', message, { problem: 'too_large' })
}

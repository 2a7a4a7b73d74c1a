import { AppError } from '../lib/errors.ts'
import { isJsonObject, type JsonObject, parseStrictJson } from '../oci/json.ts'
import { readWhole } from './body.ts'

/*
 * Bodies for programs that were written for somebody else's API: in JSON whatever their
 * Content-Type says.
 */

/** JSON is small: who needs longer for the next byte is not coming back. */
const BODY_IDLE_MS = 30_000

/** The bytes of a body. @throws AppError too_large, upload_invalid */
export function readBytes(request: Request, limit: number): Promise<Uint8Array> {
  return readWhole(request, {
    limit,
    idleMs: BODY_IDLE_MS,
    tooLarge: () => new AppError('too_large', `the body may have at most ${limit} bytes`),
  })
}

/**
 * The body as a JSON object. A field that is null counts as not sent, as it does in Go.
 * @throws AppError invalid_input, which repeats no value
 */
export function parseBody(bytes: Uint8Array): JsonObject {
  if (bytes.length === 0) throw new AppError('invalid_input', 'the body is empty; send JSON')
  let body: unknown
  try {
    body = parseStrictJson(bytes)
  } catch (error) {
    const why = error instanceof SyntaxError ? error.message : 'it is not valid JSON'
    throw new AppError('invalid_input', `the body cannot be read: ${why}`, {}, error)
  }
  const object = body as JsonObject
  if (!isJsonObject(object)) throw new AppError('invalid_input', 'the body is not a JSON object')
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null))
}

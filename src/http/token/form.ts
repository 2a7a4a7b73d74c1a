import { AppError } from '../../lib/errors.ts'

const MAX_BYTES = 65_536

/**
 * The fields of a form, whatever Content-Type the client put on it.
 * @throws AppError too_large
 */
export async function readForm(request: Request): Promise<URLSearchParams> {
  if (Number(request.headers.get('content-length') ?? 0) > MAX_BYTES) throw tooLarge()
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  // Read by hand: a length need not be announced, and must not be believed.
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > MAX_BYTES) throw tooLarge()
    text += decoder.decode(chunk, { stream: true })
  }
  return new URLSearchParams(text + decoder.decode())
}

function tooLarge(): AppError {
  return new AppError('too_large', `the form may have at most ${MAX_BYTES} bytes`)
}

import { AppError } from '../../lib/errors.ts'
import { readWhole } from '../body.ts'

const MAX_BYTES = 65_536
/** A form is small: who needs longer for the next byte is not coming back. */
const IDLE_MS = 30_000

/**
 * The fields of a form, whatever Content-Type the client put on it.
 * @throws AppError too_large, upload_invalid when the client went away or fell silent
 */
export async function readForm(request: Request): Promise<URLSearchParams> {
  const bytes = await readWhole(request, {
    limit: MAX_BYTES,
    idleMs: IDLE_MS,
    tooLarge: () => new AppError('too_large', `the form may have at most ${MAX_BYTES} bytes`),
  })
  return new URLSearchParams(new TextDecoder().decode(bytes))
}

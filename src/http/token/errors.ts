import type { AppError, ErrorCode } from '../../lib/errors.ts'

/** Everything that the token endpoint may have to say: status, and code of the OCI error form. */
const TABLE: Partial<Record<ErrorCode, readonly [status: number, code: string]>> = {
  invalid_input: [400, 'UNSUPPORTED'],
  too_large: [413, 'UNSUPPORTED'],
  // A form that did not arrive whole.
  upload_invalid: [400, 'UNSUPPORTED'],
  method_unsupported: [405, 'UNSUPPORTED'],
  unauthenticated: [401, 'UNAUTHORIZED'],
  insufficient_scope: [401, 'UNAUTHORIZED'],
  denied: [403, 'DENIED'],
  rate_limited: [429, 'TOOMANYREQUESTS'],
  storage_full: [507, 'UNAVAILABLE'],
  read_only: [503, 'UNAVAILABLE'],
  unavailable: [503, 'UNAVAILABLE'],
}

/** The answer to a failure, in the form that Docker and all others read. */
export function errorResponse(error: AppError, service: string): Response {
  const [status, code] = TABLE[error.code] ?? [500, 'UNKNOWN']
  // What went wrong inside is for the log.
  const message = status === 500 ? 'the token could not be issued' : error.message
  const headers = new Headers({
    // Docker reads the body only under this very type.
    'content-type': 'application/json',
    'cache-control': 'no-store',
    ...error.details.headers,
  })
  if (error.details.retryAfter !== undefined) {
    headers.set('retry-after', String(error.details.retryAfter))
  }
  if (status === 401) {
    headers.set('www-authenticate', `Basic realm="${service.replaceAll(/["\\]/g, '')}"`)
  }
  return new Response(JSON.stringify({ errors: [{ code, message, detail: null }] }), {
    status,
    headers,
  })
}

import { AppError, type ErrorCode } from '../../lib/errors.ts'

/*
 * The wire form of errors on /v2 (distribution-spec, "Error Codes"). The list of codes is closed.
 * Clients act on them: containers/image retries in other formats on MANIFEST_INVALID, docker does
 * not retry DENIED; and `message` is what people read. So policy, quota and immutability are
 * DENIED, and what may pass by itself is 429 or 5xx.
 */

type OciCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DENIED'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'TOOMANYREQUESTS'
  | 'UNAUTHORIZED'
  | 'UNSUPPORTED'
  // not of the specification, but what all clients take for "try again"
  | 'UNAVAILABLE'
  | 'UNKNOWN'

const V2_ERRORS: Record<ErrorCode, readonly [status: number, code: OciCode]> = {
  invalid_input: [400, 'UNSUPPORTED'],
  name_invalid: [400, 'NAME_INVALID'],
  digest_invalid: [400, 'DIGEST_INVALID'],
  digest_mismatch: [400, 'DIGEST_INVALID'],
  manifest_invalid: [400, 'MANIFEST_INVALID'],
  manifest_too_large: [413, 'SIZE_INVALID'],
  size_invalid: [400, 'SIZE_INVALID'],
  range_invalid: [416, 'SIZE_INVALID'],
  upload_range_invalid: [416, 'BLOB_UPLOAD_INVALID'],
  upload_invalid: [400, 'BLOB_UPLOAD_INVALID'],
  too_large: [413, 'SIZE_INVALID'],
  method_unsupported: [405, 'UNSUPPORTED'],
  unauthenticated: [401, 'UNAUTHORIZED'],
  insufficient_scope: [401, 'UNAUTHORIZED'],
  denied: [403, 'DENIED'],
  not_found: [404, 'NAME_UNKNOWN'],
  project_unknown: [403, 'DENIED'],
  repository_unknown: [404, 'NAME_UNKNOWN'],
  manifest_unknown: [404, 'MANIFEST_UNKNOWN'],
  manifest_blob_unknown: [404, 'MANIFEST_BLOB_UNKNOWN'],
  blob_unknown: [404, 'BLOB_UNKNOWN'],
  upload_unknown: [404, 'BLOB_UPLOAD_UNKNOWN'],
  conflict: [409, 'DENIED'],
  in_use: [403, 'DENIED'],
  immutable: [403, 'DENIED'],
  precondition_failed: [412, 'DENIED'],
  quota_exceeded: [403, 'DENIED'],
  rate_limited: [429, 'TOOMANYREQUESTS'],
  storage_full: [507, 'UNAVAILABLE'],
  read_only: [429, 'TOOMANYREQUESTS'],
  unavailable: [503, 'UNAVAILABLE'],
  internal: [500, 'UNKNOWN'],
  address_refused: [403, 'DENIED'],
  remote_unreachable: [502, 'UNAVAILABLE'],
  remote_denied: [403, 'DENIED'],
  remote_error: [502, 'UNAVAILABLE'],
}

/** Renders a failure. `headers` come on top of those that the error asks for. */
export function errorResponse(error: AppError, headers: Record<string, string>): Response {
  const [status, code] = V2_ERRORS[error.code]
  const { problems, retryAfter, headers: own, reason: _, ...detail } = error.details
  const errors = problems?.map((problem) => ({
    code,
    message: problem.message,
    detail: problem.detail ?? null,
  })) ?? [{ code, message: error.message, detail: Object.keys(detail).length > 0 ? detail : null }]
  return new Response(JSON.stringify({ errors }), {
    status,
    headers: {
      // Without a charset: docker reads the body only under exactly this type.
      'content-type': 'application/json',
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
      ...own,
      ...headers,
    },
  })
}

/** Any throwable as an AppError; what is not one of ours says nothing of the inside. */
export function asAppError(error: unknown, requestId: string): AppError {
  if (error instanceof AppError && error.code !== 'internal') return error
  return new AppError(
    'internal',
    `something went wrong inside the registry; its log has the reason under request ${requestId}`,
    {},
    error,
  )
}

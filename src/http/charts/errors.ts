import type { AppError, ErrorCode } from '../../lib/errors.ts'

/*
 * The wire form of errors for charts, as ChartMuseum has it: a status and `{"error": …}`, which
 * `helm cm-push` prints. Helm itself shows only the status.
 */

const CHART_ERRORS: Record<ErrorCode, number> = {
  invalid_input: 400,
  name_invalid: 400,
  digest_invalid: 400,
  digest_mismatch: 400,
  manifest_invalid: 400,
  manifest_too_large: 413,
  size_invalid: 400,
  range_invalid: 416,
  upload_range_invalid: 416,
  upload_invalid: 400,
  too_large: 413,
  method_unsupported: 405,
  unauthenticated: 401,
  insufficient_scope: 401,
  denied: 403,
  not_found: 404,
  project_unknown: 404,
  repository_unknown: 404,
  manifest_unknown: 404,
  manifest_blob_unknown: 404,
  blob_unknown: 404,
  upload_unknown: 404,
  conflict: 409,
  in_use: 409,
  immutable: 409,
  precondition_failed: 412,
  quota_exceeded: 507,
  rate_limited: 429,
  storage_full: 507,
  read_only: 503,
  unavailable: 503,
  internal: 500,
  address_refused: 400,
  remote_unreachable: 502,
  remote_denied: 502,
  remote_error: 502,
}

export function errorResponse(error: AppError): Response {
  const { retryAfter, headers } = error.details
  return new Response(JSON.stringify({ error: error.message }), {
    status: CHART_ERRORS[error.code],
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      // Helm and curl answer no other challenge.
      ...(error.code === 'unauthenticated'
        ? { 'www-authenticate': 'Basic realm="Entrepot", charset="UTF-8"' }
        : {}),
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
      ...headers,
    },
  })
}

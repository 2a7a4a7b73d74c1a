import type { AppError, ErrorCode } from '../../lib/errors.ts'
import { USUAL_STATUSES } from '../usual-statuses.ts'

/*
 * The wire form of errors for charts, as ChartMuseum has it: a status and `{"error": …}`, which
 * `helm cm-push` prints. Helm itself shows only the status.
 */

const CHART_ERRORS: Record<ErrorCode, number> = { ...USUAL_STATUSES, quota_exceeded: 507 }

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

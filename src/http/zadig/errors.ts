import type { AppError, ErrorCode } from '../../lib/errors.ts'
import type { RequestContext } from '../context.ts'
import { USUAL_STATUSES } from '../usual-statuses.ts'
import { jsonAnswer } from './answer.ts'

/*
 * Failures in the form of Zadig's typed errors. Zadig leaves 401, 403 and some 400 without a body,
 * and answers what it did not expect with 500; here each has its status and its sentence.
 */

const STATUSES: Record<ErrorCode, number> = {
  ...USUAL_STATUSES,
  range_invalid: 400,
  upload_range_invalid: 400,
  precondition_failed: 409,
}

const NAMES: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Request Entity Too Large',
  429: 'Too Many Requests',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  507: 'Insufficient Storage',
}

export function zadigErrorResponse(error: AppError, context: RequestContext): Response {
  const status = STATUSES[error.code]
  const { retryAfter, headers, text } = error.details
  const description = error.message
  const asked = {
    ...(status === 401 ? { 'www-authenticate': 'Bearer realm="entrepot"' } : {}),
    ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    ...headers,
  }
  if (text === true) return textAnswer(status, description, context, asked)
  const body =
    status === 500
      ? { message: 'Internal Error: ', code: 500, description }
      : { type: 'error', message: NAMES[status] ?? '', code: status, description, extra: {} }
  return jsonAnswer(context, status, body, asked)
}

/** Paths and methods that there are not, which Zadig's router answers itself. */
function textAnswer(
  status: number,
  message: string,
  { method }: RequestContext,
  headers: Record<string, string>,
): Response {
  const body = Buffer.from(message)
  return new Response(method === 'HEAD' ? null : body, {
    status,
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': String(body.length),
      'cache-control': 'no-store',
      // The path is in it, which anybody may have made up.
      'x-content-type-options': 'nosniff',
      ...headers,
    },
  })
}

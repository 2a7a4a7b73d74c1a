import type { AppError, ErrorCode } from '../../lib/errors.ts'
import type { RequestContext } from '../context.ts'
import { challengeFor } from './session-cookie.ts'

/*
 * Errors as problem details (RFC 9457). `detail` is the sentence for people, `code` the word for
 * programs, `errors` names the fields.
 */

const API_ERRORS: Record<ErrorCode, readonly [status: number, title: string]> = {
  invalid_input: [400, 'The request is not right'],
  name_invalid: [400, 'The name is not valid'],
  digest_invalid: [400, 'The digest is not valid'],
  digest_mismatch: [400, 'The content has another digest'],
  manifest_invalid: [400, 'The manifest is not valid'],
  manifest_too_large: [413, 'The manifest is too large'],
  size_invalid: [400, 'The size is not right'],
  range_invalid: [416, 'The range is not valid'],
  upload_range_invalid: [416, 'The range is not valid'],
  upload_invalid: [400, 'The body did not arrive'],
  too_large: [413, 'The body is too large'],
  method_unsupported: [405, 'The method is not supported here'],
  unauthenticated: [401, 'Sign in'],
  insufficient_scope: [401, 'The token is not for this'],
  denied: [403, 'You may not do this'],
  not_found: [404, 'Not found'],
  project_unknown: [404, 'Project not found'],
  repository_unknown: [404, 'Repository not found'],
  manifest_unknown: [404, 'Artifact not found'],
  manifest_blob_unknown: [404, 'Blob not found'],
  blob_unknown: [404, 'Blob not found'],
  upload_unknown: [404, 'Upload not found'],
  conflict: [409, 'It conflicts with what is there'],
  in_use: [409, 'It is in use'],
  immutable: [409, 'It is protected'],
  precondition_failed: [412, 'It was changed meanwhile'],
  quota_exceeded: [409, 'The quota is used up'],
  rate_limited: [429, 'Too many requests'],
  storage_full: [507, 'The storage is full'],
  read_only: [503, 'Only reading is possible now'],
  unavailable: [503, 'Not available now'],
  internal: [500, 'Something went wrong'],
  address_refused: [400, 'The address may not be asked'],
  remote_unreachable: [502, 'Another server cannot be reached'],
  remote_denied: [502, 'Another server refuses'],
  remote_error: [502, 'Another server failed'],
}

/** Renders a failure. */
export function problemResponse(error: AppError, context: RequestContext): Response {
  const [status, title] = API_ERRORS[error.code]
  const { problems, field, retryAfter, reason, headers: own } = error.details
  const errors = problems?.map(({ field, message, says }) => ({ field, message, says }))
  const named = field === undefined ? undefined : [{ field, message: error.message, says: reason }]
  const body = Buffer.from(
    JSON.stringify({
      type: `urn:entrepot:problem:${error.code}`,
      title,
      status,
      detail: error.message,
      code: error.code,
      reason: reason?.name,
      params: reason?.params,
      requestId: context.requestId,
      errors: errors ?? named,
    }),
  )
  return new Response(context.method === 'HEAD' ? null : body, {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'content-length': String(body.length),
      'cache-control': 'no-store',
      ...(status === 401 ? { 'www-authenticate': challengeFor(context) } : {}),
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
      ...own,
    },
  })
}

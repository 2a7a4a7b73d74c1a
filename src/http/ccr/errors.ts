import type { AppError, ErrorCode } from '../../lib/errors.ts'
import type { RequestContext } from '../context.ts'
import { envelope } from './envelope.ts'

/*
 * The wire form of errors on the CCR face (CeaKE 5.2.0, section 1.15). Codes and texts are printed
 * there. Statuses are too, but for what it has no word for: 405, 429, 503 and 507 stay what they
 * are, since proxies and clients act on them.
 */

export type CcrCode =
  | 'CCR.CodeParamError'
  | 'CCR.RespAuthFailed'
  | 'CCR.RespPermissionDenied'
  | 'CCR.CodeForbidOperate'
  | 'CCR.CodeErrNotExists'
  | 'CCR.CodeErrAlreadyExists'
  | 'CCR.CodeInternalError'

export const CCR_TEXTS: Record<CcrCode, { zh: string; en: string }> = {
  'CCR.CodeParamError': { zh: '参数错误', en: 'Invalid parameter' },
  'CCR.RespAuthFailed': { zh: '认证失败', en: 'Authentication failed' },
  'CCR.RespPermissionDenied': { zh: '权限不足', en: 'Permission denied' },
  'CCR.CodeForbidOperate': { zh: '资源禁止操作', en: 'Operation forbidden' },
  'CCR.CodeErrNotExists': { zh: '资源不存在', en: 'Not found' },
  'CCR.CodeErrAlreadyExists': { zh: '资源已存在', en: 'Already exists' },
  'CCR.CodeInternalError': { zh: '内部错误', en: 'Internal error' },
}

export const CCR_ERRORS: Record<ErrorCode, readonly [status: number, code: CcrCode]> = {
  invalid_input: [400, 'CCR.CodeParamError'],
  name_invalid: [400, 'CCR.CodeParamError'],
  digest_invalid: [400, 'CCR.CodeParamError'],
  digest_mismatch: [400, 'CCR.CodeParamError'],
  manifest_invalid: [400, 'CCR.CodeParamError'],
  manifest_too_large: [400, 'CCR.CodeParamError'],
  size_invalid: [400, 'CCR.CodeParamError'],
  range_invalid: [400, 'CCR.CodeParamError'],
  upload_range_invalid: [400, 'CCR.CodeParamError'],
  upload_invalid: [400, 'CCR.CodeParamError'],
  too_large: [400, 'CCR.CodeParamError'],
  method_unsupported: [405, 'CCR.CodeParamError'],
  unauthenticated: [401, 'CCR.RespAuthFailed'],
  insufficient_scope: [401, 'CCR.RespAuthFailed'],
  denied: [403, 'CCR.RespPermissionDenied'],
  not_found: [404, 'CCR.CodeErrNotExists'],
  project_unknown: [404, 'CCR.CodeErrNotExists'],
  repository_unknown: [404, 'CCR.CodeErrNotExists'],
  manifest_unknown: [404, 'CCR.CodeErrNotExists'],
  manifest_blob_unknown: [404, 'CCR.CodeErrNotExists'],
  blob_unknown: [404, 'CCR.CodeErrNotExists'],
  upload_unknown: [404, 'CCR.CodeErrNotExists'],
  conflict: [409, 'CCR.CodeErrAlreadyExists'],
  in_use: [403, 'CCR.CodeForbidOperate'],
  immutable: [403, 'CCR.CodeForbidOperate'],
  precondition_failed: [403, 'CCR.CodeForbidOperate'],
  quota_exceeded: [403, 'CCR.CodeForbidOperate'],
  rate_limited: [429, 'CCR.CodeForbidOperate'],
  storage_full: [507, 'CCR.CodeInternalError'],
  read_only: [503, 'CCR.CodeInternalError'],
  unavailable: [503, 'CCR.CodeInternalError'],
  internal: [500, 'CCR.CodeInternalError'],
  address_refused: [400, 'CCR.CodeParamError'],
  remote_unreachable: [500, 'CCR.CodeInternalError'],
  remote_denied: [500, 'CCR.CodeInternalError'],
  remote_error: [500, 'CCR.CodeInternalError'],
}

/** Renders a failure: the printed text, then what is wrong here. */
export function ccrErrorResponse(error: AppError, context: RequestContext): Response {
  const [status, code] = CCR_ERRORS[error.code]
  const { field, retryAfter, headers } = error.details
  const named = field === undefined || error.message.includes(field)
  const detail = named ? error.message : `${field}: ${error.message}`
  return envelope(context, {
    status,
    code,
    text: CCR_TEXTS[code],
    detail,
    headers: {
      ...(status === 401 ? { 'www-authenticate': 'Basic realm="entrepot"' } : {}),
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
      ...headers,
    },
  })
}

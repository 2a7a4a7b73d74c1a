import { AppError, type ErrorCode } from '../../lib/errors.ts'
import type { RequestContext } from '../context.ts'

/*
 * The wire form of errors on the HSS face. HSS itself answers 400 to nearly everything, also to what
 * is not there and not allowed; the gateway before it answers who was not recognised and what has no
 * API, in another form. Codes and texts are the vendor's, then comes what is wrong here.
 */

type HssCode = 'HSS.0001' | 'HSS.0002' | 'HSS.0010' | 'HSS.0011' | 'HSS.0013' | 'HSS.0014'
type GatewayCode = 'APIGW.0101' | 'APIGW.0201' | 'APIGW.0301' | 'APIGW.0308' | 'APIGW.0801'

const TEXTS: Record<HssCode | 'HSS.0041', { zh: string; en: string }> = {
  'HSS.0001': { zh: '参数不合法', en: 'Invalid parameter' },
  'HSS.0002': { zh: '解析请求失败', en: 'The request cannot be parsed' },
  'HSS.0010': { zh: '拒绝访问', en: 'Access denied' },
  'HSS.0011': { zh: '请求资源不存在', en: 'The requested resource does not exist' },
  'HSS.0013': { zh: '权限不足', en: 'Insufficient permissions' },
  'HSS.0014': { zh: '不允许创建配额', en: 'The quota does not allow it' },
  'HSS.0041': { zh: '查询错误', en: 'Internal error' },
}

const GATEWAY_TEXTS: Record<GatewayCode, string> = {
  'APIGW.0101': 'The API does not exist or has not been published in the environment',
  'APIGW.0201': 'Request entity too large',
  'APIGW.0301': 'Incorrect IAM authentication information',
  'APIGW.0308': 'The throttling threshold has been reached',
  'APIGW.0801': 'The service is unavailable',
}

const HSS_ERRORS: Record<
  ErrorCode,
  readonly [status: number, code: keyof typeof TEXTS | GatewayCode]
> = {
  invalid_input: [400, 'HSS.0001'],
  name_invalid: [400, 'HSS.0001'],
  digest_invalid: [400, 'HSS.0001'],
  digest_mismatch: [400, 'HSS.0001'],
  manifest_invalid: [400, 'HSS.0001'],
  manifest_too_large: [400, 'HSS.0001'],
  size_invalid: [400, 'HSS.0001'],
  range_invalid: [400, 'HSS.0001'],
  upload_range_invalid: [400, 'HSS.0001'],
  upload_invalid: [400, 'HSS.0002'],
  too_large: [413, 'APIGW.0201'],
  method_unsupported: [404, 'APIGW.0101'],
  unauthenticated: [401, 'APIGW.0301'],
  insufficient_scope: [401, 'APIGW.0301'],
  denied: [400, 'HSS.0013'],
  not_found: [400, 'HSS.0011'],
  project_unknown: [400, 'HSS.0011'],
  repository_unknown: [400, 'HSS.0011'],
  manifest_unknown: [400, 'HSS.0011'],
  manifest_blob_unknown: [400, 'HSS.0011'],
  blob_unknown: [400, 'HSS.0011'],
  upload_unknown: [400, 'HSS.0011'],
  conflict: [400, 'HSS.0001'],
  in_use: [400, 'HSS.0010'],
  immutable: [400, 'HSS.0010'],
  precondition_failed: [400, 'HSS.0010'],
  quota_exceeded: [400, 'HSS.0014'],
  rate_limited: [429, 'APIGW.0308'],
  storage_full: [507, 'APIGW.0801'],
  read_only: [503, 'APIGW.0801'],
  unavailable: [503, 'APIGW.0801'],
  internal: [500, 'HSS.0041'],
  address_refused: [400, 'HSS.0001'],
  remote_unreachable: [400, 'HSS.0010'],
  remote_denied: [400, 'HSS.0010'],
  remote_error: [400, 'HSS.0010'],
}

/** There is no API at this path, or not with this method: the gateway does not tell them apart. */
export function apiUnknown({ path, method }: RequestContext): AppError {
  return new AppError('method_unsupported', `${method} ${path.slice(0, 200)}`)
}

/** Renders a failure. */
export function hssErrorResponse(error: AppError, context: RequestContext): Response {
  const [status, code] = HSS_ERRORS[error.code]
  const { field, problems, retryAfter, headers } = error.details
  const named = field === undefined || problems || error.message.includes(field)
  const detail = named ? error.message : `${field}: ${error.message}`
  const own = {
    ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    ...headers,
  }
  if (!isHssCode(code)) {
    const text = `${GATEWAY_TEXTS[code]}: ${detail}`
    const told = { error_msg: text, error_code: code, request_id: context.requestId }
    return jsonResponse(status, told, own, context.method)
  }
  const language = wantsEnglish(context.request.headers) ? 'en' : 'zh'
  const text = `${TEXTS[code][language]}: ${detail}`
  return jsonResponse(
    status,
    { error_code: code, error_description: text, error_msg: text },
    { 'content-language': language === 'zh' ? 'zh-CN' : 'en-US', ...own },
    context.method,
  )
}

function isHssCode(code: string): code is keyof typeof TEXTS {
  return code in TEXTS
}

/** Chinese unless asked otherwise, as HSS does. */
function wantsEnglish(headers: Headers): boolean {
  return /^en\b/i.test((headers.get('x-language') ?? '').trim())
}

export function jsonResponse(
  status: number,
  value: unknown,
  headers: Record<string, string>,
  method: string,
): Response {
  const body = Buffer.from(JSON.stringify(value))
  return new Response(method === 'HEAD' ? null : body, {
    status,
    headers: {
      'content-type': 'application/json',
      'content-length': String(body.length),
      'cache-control': 'no-store',
      ...headers,
    },
  })
}

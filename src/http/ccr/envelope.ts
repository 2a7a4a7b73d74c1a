import type { RequestContext } from '../context.ts'

/** What every answer of CCR has, beside the fields of its call. */
interface Envelope {
  status: number
  code: string
  text: { zh: string; en: string }
  detail?: string
  fields?: Record<string, unknown>
  headers?: Record<string, string>
}

const SUCCESS = { zh: '调用成功', en: 'Success' }

/** A success: always 200, also where something was created. */
export function successResponse(
  context: RequestContext,
  fields: Record<string, unknown>,
  headers: Record<string, string> = {},
): Response {
  return envelope(context, { status: 200, code: 'CCR.Success', text: SUCCESS, fields, headers })
}

export function envelope(context: RequestContext, answer: Envelope): Response {
  const { status, code, text, detail, fields, headers } = answer
  const language = wantsEnglish(context.request.headers.get('accept-language')) ? 'en' : 'zh'
  const message = detail === undefined ? text[language] : `${text[language]}: ${detail}`
  const body = Buffer.from(
    JSON.stringify({ code, message, requestId: context.requestId, ...fields }),
  )
  return new Response(context.method === 'HEAD' ? null : body, {
    status,
    headers: {
      'content-type': 'application/json',
      'content-length': String(body.length),
      'content-language': language,
      'cache-control': 'no-store',
      vary: 'Accept-Language',
      ...headers,
    },
  })
}

/** English where it is asked for before Chinese (RFC 9110 section 12.5.4); `*` is not asking. */
export function wantsEnglish(header: string | null): boolean {
  const ranges = (header ?? '').split(',').map((range) => {
    const [tag = '', ...parameters] = range
      .trim()
      .toLowerCase()
      .split(/\s*;\s*/)
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
    return { language: tag.split('-')[0], weight: weight === undefined ? 1 : Number(weight) || 0 }
  })
  const weightOf = (language: string) =>
    Math.max(0, ...ranges.filter((range) => range.language === language).map((r) => r.weight))
  const first = ranges.find(({ language }) => language === 'en' || language === 'zh')
  const [english, chinese] = [weightOf('en'), weightOf('zh')]
  return english > chinese || (english > 0 && english === chinese && first?.language === 'en')
}

import type { TFunction } from 'i18next'
import type { Says } from '../../../lib/reasons.ts'
import { ApiError } from '../api/client.ts'
import type { Format } from '../format.ts'

/** What to say of a failure, in the reader's language as far as that can be. */
export interface Said {
  title: string
  /** undefined: the title says it all. */
  sentence: string | undefined
  /** The server's own sentence, where another one is shown in its place. */
  original: string | undefined
  requestId: string | undefined
}

interface Language {
  t: TFunction
  language: string
  format: Pick<Format, 'bytes'>
}

export function sayProblem(error: unknown, { t, language, format }: Language): Said {
  if (!(error instanceof ApiError)) {
    const sentence = error instanceof Error ? error.message : undefined
    return { title: t('errors.internal'), sentence, original: undefined, requestId: undefined }
  }
  const { code, reason, params, message, requestId } = error
  const title = lookUp(t, 'errors', code) ?? t('errors.internal')
  // Of sizes people read units.
  const shown = Object.fromEntries(
    Object.entries(params).map(([name, value]) => [
      name,
      code === 'quota_exceeded' && typeof value === 'number' ? format.bytes(value) : value,
    ]),
  )
  const sentence = reason === undefined ? undefined : sayReason(t, { name: reason, params: shown })
  const said = message || undefined
  // The server speaks English; what the browser says itself is in the reader's language already.
  if (language === 'en' || code === 'wrong_credentials')
    return { title, sentence: said, original: undefined, requestId }
  return { title, sentence, original: said, requestId }
}

/** undefined: there are no words for it in this language. */
export function sayReason(t: TFunction, { name, params }: Says): string | undefined {
  const role = typeof params.role === 'string' ? lookUp(t, 'roles', params.role) : undefined
  const text = lookUp(t, 'reasons', name, role ? { ...params, role } : params)
  const { said } = params
  if (text === undefined || typeof said !== 'string') return text
  return `${text}${t('problem.answered', { replace: { said } })}`
}

/** A text whose key comes from the server; undefined: there is none. */
function lookUp(
  t: TFunction,
  table: 'errors' | 'reasons' | 'roles',
  key: string,
  params: Record<string, string | number> = {},
): string | undefined {
  if (!/^\w+$/.test(key)) return undefined
  // In a place of their own: beside `defaultValue` the name of one may mean something else.
  const text: unknown = t(`${table}.${key}` as 'errors.internal', {
    replace: params,
    defaultValue: '',
  })
  return typeof text === 'string' && text !== '' ? text : undefined
}

import { z } from 'zod'
import { AppError, isAppError } from '../../lib/errors.ts'
import { readWhole } from '../body.ts'

const MAX_BODY_BYTES = 256 * 1024
/** JSON is small: who needs longer for the next byte is not coming back. */
const BODY_IDLE_MS = 30_000

/** The bytes of a body, whatever its Content-Type. @throws AppError too_large, upload_invalid */
export function readBytes(request: Request): Promise<Uint8Array> {
  return readWhole(request, {
    limit: MAX_BODY_BYTES,
    idleMs: BODY_IDLE_MS,
    tooLarge: () => new AppError('too_large', `the body may have at most ${MAX_BODY_BYTES} bytes`),
  })
}

/**
 * The body as a JSON object; none at all is one without fields. A field that is null counts as not
 * sent, as it does in Go.
 * @throws AppError upload_invalid (it cannot be read), invalid_input
 */
export function parseBody(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.length === 0) return {}
  let body: unknown
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw new AppError('upload_invalid', 'the body is not JSON in UTF-8', {}, error)
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new AppError('invalid_input', 'the body must be a JSON object')
  }
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null))
}

/** @throws AppError invalid_input when a parameter is there twice */
export function parseQuery(query: URLSearchParams): Record<string, string> {
  const names = [...query.keys()]
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) {
    const field = twice.slice(0, 100)
    throw new AppError('invalid_input', `${field} is in the query twice`, { field })
  }
  return Object.fromEntries(query)
}

/**
 * What the schema makes of `input`. Messages of schemas complete "it must …"; values are not
 * repeated, since passwords are among them.
 * @throws AppError invalid_input naming each field and its rule
 */
export function checkInput<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const problems = result.error.issues.map(({ path, message }) => {
    const field = String(path[0] ?? '')
    const value = typeof input === 'object' && input ? Reflect.get(input, field) : undefined
    const state = value === undefined ? `${field} is missing: it` : field
    return { field, message: `${state} must ${message}` }
  })
  const unique = [...new Map(problems.map((problem) => [problem.field, problem])).values()]
  throw new AppError('invalid_input', unique.map(({ message }) => message).join('; '), {
    problems: unique,
  })
}

/** Runs `work`, naming what the domain calls by another name as the field that it came in. */
export async function asFields<T>(
  names: Record<string, string>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const field = isAppError(error) ? names[error.details.field ?? ''] : undefined
    if (!isAppError(error) || field === undefined) throw error
    const details = { ...error.details, field }
    throw new AppError(error.code, `${field}: ${error.message}`, details, error)
  }
}

// What fields may hold. Characters are counted as people count them.

export const text = (min: number, max: number) => {
  const error = `have ${min} to ${max} characters`
  return z.string({ error }).refine(
    (value) => {
      const { length } = [...value]
      return length >= min && length <= max && value.isWellFormed()
    },
    { error },
  )
}

export const oneOf = <const V extends readonly [string, ...string[]]>(values: V) =>
  z.enum(values, { error: `be one of ${values.join(', ')}` })

/** Separated by commas. */
export const listOf = <const V extends readonly [string, ...string[]]>(values: V) => {
  const known: readonly string[] = values
  return z
    .string()
    .transform((list) => list.split(','))
    .refine((list) => list.every((value) => known.includes(value)), {
      error: `be one or more of ${values.join(', ')}, with commas between them`,
    })
}

/** Of a query. */
export const whole = (min: number, max: number) => {
  const error = `be a whole number from ${min} to ${max}`
  return z
    .string()
    .regex(/^\d{1,19}$/, error)
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error })
}

/** Of a query, from 0 on; what is beyond the numbers that we have is the largest of them. */
export const long = (max: bigint) => {
  const error = `be a whole number from 0 to ${max}`
  const most = BigInt(Number.MAX_SAFE_INTEGER)
  return z
    .string()
    .regex(/^\d{1,19}$/, error)
    .transform(BigInt)
    .refine((value) => value <= max, { error })
    .transform((value) => Number(value > most ? most : value))
}

/** Of a query. The SDK for Python writes them with a capital. */
export const truth = z
  .string()
  .regex(/^(true|false)$/i, 'be true or false')
  .transform((value) => value.toLowerCase() === 'true')

export const ALL_ENTERPRISE_PROJECTS = 'all_granted_eps'

/** Of lists: 0 unless set. */
export const enterpriseProject = text(1, 256).default('0')
/** Of changes, which have to be about one. */
export const oneEnterpriseProject = enterpriseProject.refine(
  (value) => value !== ALL_ENTERPRISE_PROJECTS,
  { error: `name one enterprise project; ${ALL_ENTERPRISE_PROJECTS} is for lists` },
)
export const paging = {
  offset: whole(0, 2_000_000).default(0),
  limit: whole(10, 200).default(10),
}

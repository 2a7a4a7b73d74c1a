import type { z } from '@hono/zod-openapi'
import { AppError, isAppError } from '../../lib/errors.ts'
import { isJsonObject, type JsonObject, parseStrictJson } from '../../oci/json.ts'
import { readWhole } from '../body.ts'

const MAX_BODY_BYTES = 64 * 1024
/** JSON is small: who needs longer for the next byte is not coming back. */
const BODY_IDLE_MS = 30_000
const MAX_SHOWN = 100
/** Parameters whose value is not repeated in an error. */
const SECRET = ['new_password']

/** The bytes of a body, whatever its Content-Type. @throws AppError too_large, upload_invalid */
export function readBytes(request: Request): Promise<Uint8Array> {
  return readWhole(request, {
    limit: MAX_BODY_BYTES,
    idleMs: BODY_IDLE_MS,
    tooLarge: () => new AppError('too_large', `the body may have at most ${MAX_BODY_BYTES} bytes`),
  })
}

/**
 * The body as a JSON object. A field that is null counts as not sent, as it does in Go.
 * @throws AppError invalid_input
 */
export function parseBody(bytes: Uint8Array): JsonObject {
  if (bytes.length === 0) throw new AppError('invalid_input', 'the body is empty; send JSON')
  let body: unknown
  try {
    body = parseStrictJson(bytes)
  } catch (error) {
    const why = error instanceof SyntaxError ? error.message : 'it is not valid JSON'
    throw new AppError('invalid_input', `the body cannot be read: ${why}`, {}, error)
  }
  const object = body as JsonObject
  if (!isJsonObject(object)) throw new AppError('invalid_input', 'the body is not a JSON object')
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null))
}

/**
 * The parameters of a query. One that is empty counts as not sent; one that is there twice must say
 * the same.
 * @throws AppError invalid_input
 */
export function parseQuery(query: URLSearchParams): Record<string, string> {
  const values: Record<string, string> = {}
  for (const [name, value] of query) {
    if (value === '') continue
    const other = Object.hasOwn(values, name) ? values[name] : undefined
    if (other !== undefined && other !== value) {
      throw new AppError(
        'invalid_input',
        `${name.slice(0, MAX_SHOWN)} is both ${shown(other)} and ${shown(value)}; send it once`,
        { field: name.slice(0, MAX_SHOWN) },
      )
    }
    Object.defineProperty(values, name, { value, enumerable: true, configurable: true })
  }
  return values
}

/**
 * What the schema makes of `input`. Messages of schemas complete "it must …".
 * @throws AppError invalid_input naming each parameter, its value and the rule
 */
export function checkInput<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const problems = result.error.issues.map(({ path, message }) => {
    const field = String(path[0] ?? '')
    const value = typeof input === 'object' && input ? Reflect.get(input, field) : undefined
    const state = value === undefined ? 'missing' : SECRET.includes(field) ? 'wrong' : shown(value)
    return { field, message: `${field} is ${state}: it must ${message}` }
  })
  const unique = [...new Map(problems.map((problem) => [problem.field, problem])).values()]
  throw new AppError('invalid_input', unique.map(({ message }) => message).join('; '), {
    problems: unique,
  })
}

export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text
}

/** Runs `work`, naming what the domain calls by another name as the parameter that it came in. */
export async function asParameters<T>(
  names: Record<string, string>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const parameter = isAppError(error) ? names[error.details.field ?? ''] : undefined
    if (!isAppError(error) || parameter === undefined) throw error
    throw new AppError(
      error.code,
      `${parameter}: ${error.message}`,
      { ...error.details, field: parameter },
      error,
    )
  }
}

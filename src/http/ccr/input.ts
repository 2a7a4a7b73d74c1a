import type { z } from '@hono/zod-openapi'
import { AppError, isAppError } from '../../lib/errors.ts'

const MAX_SHOWN = 100
/** Parameters whose value is not repeated in an error. */
const SECRET = ['new_password']

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

import type { z } from '@hono/zod-openapi'
import { AppError } from '../../lib/errors.ts'
import { because, type Says } from '../../lib/reasons.ts'
import { readWhole } from '../body.ts'

const MAX_BODY_BYTES = 1024 * 1024
/** JSON is small: who needs longer for the next byte is not coming back. */
const BODY_IDLE_MS = 30_000
const MAX_PROBLEMS = 50

/**
 * The body as JSON; an empty one is an object without fields.
 * @throws AppError invalid_input, too_large
 */
export async function readJson(request: Request): Promise<unknown> {
  const bytes = await readWhole(request, {
    limit: MAX_BODY_BYTES,
    idleMs: BODY_IDLE_MS,
    tooLarge: () => new AppError('too_large', `the body may have at most ${MAX_BODY_BYTES} bytes`),
  })
  if (bytes.length === 0) return {}
  const type = request.headers.get('content-type')
  if (!/^application\/json\s*(;|$)/i.test(type ?? '')) {
    const given = type ? `"${type.slice(0, 100)}"` : 'not given'
    throw new AppError(
      'invalid_input',
      `the body must be JSON with Content-Type: application/json, which is ${given}`,
      { field: 'Content-Type' },
    )
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw new AppError('invalid_input', 'the body is not JSON in UTF-8', {}, error)
  }
}

/**
 * What the schema makes of `input`, or every problem at once.
 * @param where for the sentence: `the body`
 * @throws AppError invalid_input
 */
export function parseInput<S extends z.ZodType>(
  schema: S,
  input: unknown,
  where: string,
): z.output<S> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const problems = result.error.issues
    .flatMap((issue) => problemsOf(issue, input))
    .slice(0, MAX_PROBLEMS)
  const sentences = problems.slice(0, 3).map(({ field, message }) => {
    return field === '' ? message : `"${field}" ${message}`
  })
  throw new AppError('invalid_input', `${where} is not right: ${sentences.join('; ')}`, {
    problems,
  })
}

interface Problem {
  field: string
  message: string
  says: Says
}

function problemsOf(issue: z.core.$ZodIssue, input: unknown): Problem[] {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      field: [...path, key.slice(0, 100)].join('.'),
      message: 'is not known here',
      says: because('field_unknown', {}).reason,
    }))
  }
  const field = path.join('.')
  if (path.length > 0 && valueAt(input, path) === undefined) {
    return [{ field, message: 'is required', says: because('field_required', {}).reason }]
  }
  return [{ field, message: sentenceOf(issue), says: reasonOf(issue) }]
}

/** The same for the console. */
function reasonOf(issue: z.core.$ZodIssue): Says {
  if (issue.code === 'invalid_value') {
    return because('field_one_of', { values: issue.values.map(String).join(', ') }).reason
  }
  if (issue.code === 'too_small') {
    const least = Number(issue.minimum)
    if (issue.origin === 'number' || issue.origin === 'int') {
      return because('field_at_least', { least }).reason
    }
    return least > 1 ? because('field_short', { least }).reason : because('field_empty', {}).reason
  }
  if (issue.code === 'too_big') {
    const most = Number(issue.maximum)
    if (issue.origin === 'string') return because('field_long', { most }).reason
    const isNumber = issue.origin === 'number' || issue.origin === 'int'
    return isNumber
      ? because('field_at_most', { most }).reason
      : because('field_many', { most }).reason
  }
  const own = issue.code === 'custom' ? issue.params?.reason : undefined
  return isSays(own) ? own : because('field_invalid', {}).reason
}

function isSays(value: unknown): value is Says {
  return typeof value === 'object' && value !== null && 'name' in value && 'params' in value
}

/** The library's sentences begin with the kind of problem, which the reader does not need. */
function sentenceOf({ message }: z.core.$ZodIssue): string {
  const plain = /^Invalid (?:input|option): expected (.+?)(?:, received (.+))?$/.exec(message)
  if (!plain) return message
  const [, expected, received] = plain
  return `must be ${expected}${received ? `, not ${received}` : ''}`
}

function valueAt(input: unknown, path: string[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value ? Reflect.get(value, key) : undefined),
    input,
  )
}

/** Without what is undefined: what was not sent is not changed. */
export function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> }
}

import { readFileSync } from 'node:fs'
import { z } from 'zod'
import packageJson from '../../package.json' with { type: 'json' }
import { AppError, type ErrorCode } from '../lib/errors.ts'

/*
 * The verbs that ask a running server, over /api/v1. Where it is and who asks stand in the
 * environment, `ENTREPOT_URL` and `ENTREPOT_TOKEN`: arguments can be read by every process.
 */

export interface ApiClient {
  /**
   * One request; `path` is below `/api/v1`.
   * @throws AppError with the server's own sentence, or `unavailable` when it does not answer
   */
  call<S extends z.ZodType>(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    options: { body?: object; answer: S; signal?: AbortSignal },
  ): Promise<z.output<S>>
}

type Environment = Record<string, string | undefined>

/** A login with a vendor behind it takes a while. */
const LIMIT_MS = 120_000

const Problem = z.object({ detail: z.string(), requestId: z.string().optional() })

const CODES: Record<number, ErrorCode> = {
  400: 'invalid_input',
  401: 'unauthenticated',
  403: 'denied',
  404: 'not_found',
  409: 'conflict',
  412: 'precondition_failed',
  413: 'too_large',
  429: 'rate_limited',
}

/** @throws AppError invalid_input when the variables are missing or wrong */
export function createApiClient(environment: Environment = process.env): ApiClient {
  const base = serverOf(environment)
  const authorization = authorizationOf(environment)

  return {
    async call(method, path, { body, answer, signal }) {
      const url = `${base}/api/v1${path}`
      const limit = AbortSignal.timeout(LIMIT_MS)
      const response = await fetch(url, {
        method,
        headers: {
          authorization,
          accept: 'application/json',
          'user-agent': `entrepot/${packageJson.version}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        // The token is for this server and no other.
        redirect: 'manual',
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }).catch((error: unknown) => {
        signal?.throwIfAborted()
        const why = error instanceof Error ? error.message : String(error)
        throw new AppError('unavailable', `${base} does not answer: ${why}`, {}, error)
      })
      const text = await response.text()
      if (!response.ok) throw problemOf(base, response.status, text)
      const parsed = answer.safeParse(text === '' ? undefined : parsedJson(text))
      if (parsed.success) return parsed.data
      throw new AppError(
        'unavailable',
        `${base} does not answer as an Entrepot of version ${packageJson.version} does`,
      )
    },
  }
}

/** `https://registry.example.com`, without a slash at the end. */
function serverOf({ ENTREPOT_URL }: Environment): string {
  const url = URL.parse(ENTREPOT_URL?.trim() ?? '')
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search) {
    return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
  }
  throw new AppError(
    'invalid_input',
    'set ENTREPOT_URL to the address of the server, such as https://registry.example.com',
  )
}

function authorizationOf({ ENTREPOT_TOKEN, ENTREPOT_TOKEN_FILE }: Environment): string {
  const token = (ENTREPOT_TOKEN || readToken(ENTREPOT_TOKEN_FILE)).trim()
  if (token === '') {
    throw new AppError(
      'invalid_input',
      'set ENTREPOT_TOKEN to an API token, or to name:secret of a robot; or ENTREPOT_TOKEN_FILE to a file with it',
    )
  }
  if (!token.includes(':')) return `Bearer ${token}`
  return `Basic ${Buffer.from(token).toString('base64')}`
}

function readToken(file: string | undefined): string {
  if (!file) return ''
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new AppError('invalid_input', `cannot read ${file} (from ENTREPOT_TOKEN_FILE)`, {}, error)
  }
}

function problemOf(base: string, status: number, text: string): AppError {
  const problem = Problem.safeParse(parsedJson(text))
  const code = CODES[status] ?? 'unavailable'
  if (!problem.success) {
    return new AppError(code, `${base} answers ${status}, and not as Entrepot does`)
  }
  const { detail, requestId } = problem.data
  const found = status >= 500 && requestId ? ` (request ${requestId} in its log)` : ''
  return new AppError(code, `${detail}${found}`)
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

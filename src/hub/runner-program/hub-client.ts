import type { z } from 'zod'
import { AppError, type ErrorCode } from '../../lib/errors.ts'

/** The way to the hub: requests that go out, and nothing else. */
export interface HubClient {
  /**
   * One request below `/api/v1/runners`.
   * @throws AppError `unavailable` when the hub does not answer or cannot now, `unauthenticated`,
   *   `conflict`, `invalid_input` with its sentence
   */
  call<S extends z.ZodType>(
    path: string,
    body: object,
    options: CallOptions<S>,
  ): Promise<z.output<S>>
}

interface CallOptions<S> {
  answer: S
  /** null: without one. */
  credential: string | null
  signal?: AbortSignal | undefined
  /** Milliseconds until it is given up; 30 s unless set. */
  limitMs?: number
}

const LIMIT_MS = 30_000
/** The largest answers name 16 tasks with their registries, or the digests of 500 tags. */
const MOST_BYTES = 8 * 1024 * 1024

const CODES: Record<number, ErrorCode> = {
  400: 'invalid_input',
  401: 'unauthenticated',
  403: 'denied',
  404: 'not_found',
  409: 'conflict',
  413: 'too_large',
}

export function createHubClient({
  url,
  caCertificate,
  userAgent,
}: {
  /** `https://registry.example.com` */
  url: string
  /** PEM; the only roots that are trusted. */
  caCertificate: string | undefined
  userAgent: string
}): HubClient {
  const base = hubAddress(url)
  const tls = caCertificate === undefined ? {} : { tls: { ca: caCertificate } }

  return {
    async call(path, body, { answer, credential, signal, limitMs = LIMIT_MS }) {
      const limit = AbortSignal.timeout(limitMs)
      try {
        const response = await fetch(`${base}/api/v1/runners${path}`, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            accept: 'application/json',
            'user-agent': userAgent,
            ...(credential === null ? {} : { authorization: `Bearer ${credential}` }),
          },
          body: JSON.stringify(body),
          // The credential is for this hub and no other.
          redirect: 'manual',
          signal: signal ? AbortSignal.any([signal, limit]) : limit,
          ...tls,
        })
        const text = await textOf(response, base)
        if (!response.ok) throw problemOf(base, response.status, text)
        const parsed = answer.safeParse(text === '' ? undefined : parsedJson(text))
        if (parsed.success) return parsed.data
        throw strange(base)
      } catch (error) {
        if (error instanceof AppError) throw error
        signal?.throwIfAborted()
        const why = error instanceof Error ? error.message : String(error)
        throw new AppError('unavailable', `${base} does not answer: ${why}`, {}, error)
      }
    },
  }
}

/** @throws AppError invalid_input */
export function hubAddress(text: string): string {
  const url = URL.parse(text.trim())
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search) {
    return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
  }
  throw new AppError(
    'invalid_input',
    '--hub must be the address of the server, such as https://registry.example.com',
  )
}

function problemOf(base: string, status: number, text: string): AppError {
  const problem = parsedJson(text)
  const detail =
    typeof problem === 'object' && problem !== null && 'detail' in problem ? problem.detail : null
  const code = CODES[status] ?? 'unavailable'
  if (typeof detail === 'string') return new AppError(code, detail)
  // Something before the hub answers in its place; that may pass.
  return new AppError('unavailable', `${base} answers ${status}, and not as Entrepot does`)
}

function strange(base: string): AppError {
  return new AppError('unavailable', `${base} does not answer as this version of Entrepot does`)
}

async function textOf(response: Response, base: string): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    // Leaving the loop ends the request.
    if (bytes > MOST_BYTES) throw strange(base)
    chunks.push(chunk)
  }
  return new TextDecoder().decode(Buffer.concat(chunks))
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

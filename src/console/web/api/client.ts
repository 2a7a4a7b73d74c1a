/*
 * The one way to the server: `/api/v1`, with the session's cookie and, for changes, the header that
 * other sites cannot send. Every failure is an `ApiError` with the server's own sentence.
 */
import type { Says } from '../../../lib/reasons.ts'

const BASE = '/api/v1'

export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** 0: the server was not reached. */
  readonly status: number
  /** A word for programs; `unreachable` when there was no answer. */
  readonly code: string
  /** What exactly is wrong, where the server says so in a form that can be translated. */
  readonly reason: string | undefined
  readonly params: Record<string, string | number>
  readonly requestId: string | undefined
  readonly fields: readonly FieldProblem[]

  constructor(status: number, problem: Problem) {
    super(problem.detail)
    this.status = status
    this.code = problem.code
    this.reason = problem.reason
    this.params = problem.params ?? {}
    this.requestId = problem.requestId
    this.fields = problem.errors ?? []
  }
}

export interface FieldProblem {
  field?: string
  message: string
  says?: Says
}

interface Problem {
  detail: string
  code: string
  reason?: string
  params?: Record<string, string | number>
  requestId?: string
  errors?: FieldProblem[]
}

let csrfToken = 'none'
let onSignedOut = () => {}
let onUnreachable = () => {}

/** From the session; with it changes are possible. */
export function keepCsrfToken(token: string | null): void {
  csrfToken = token ?? 'none'
}

/** Called when the server says that nobody is signed in any more. */
export function whenSignedOut(call: () => void): void {
  onSignedOut = call
}

/** Called when a request did not reach the server. */
export function whenUnreachable(call: () => void): void {
  onUnreachable = call
}

type Query = Record<string, string | number | boolean | undefined>

/** Parts of a path, each encoded: a repository's name has slashes. */
export function path(strings: TemplateStringsArray, ...values: (string | number)[]): string {
  return String.raw({ raw: strings }, ...values.map((value) => encodeURIComponent(value)))
}

export function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return request<T>('GET', path + searchOf(query), { signal })
}

/** What is not of `/api/v1`: the documents of the other faces. */
export function getDocument<T>(address: string, signal?: AbortSignal): Promise<T> {
  return request<T>('GET', address, { signal }, '')
}

export function post<T>(path: string, body?: object): Promise<T> {
  return request<T>('POST', path, { body })
}

export function put<T>(path: string, body?: object): Promise<T> {
  return request<T>('PUT', path, { body })
}

export function patch<T>(path: string, body: object, version?: number): Promise<T> {
  return request<T>('PATCH', path, { body, version })
}

export function remove(path: string, version?: number): Promise<void> {
  return request<void>('DELETE', path, { version })
}

interface Options {
  body?: object | undefined
  /** Seen by the reader: the change is refused when it is out of date. */
  version?: number | undefined
  signal?: AbortSignal | undefined
}

async function request<T>(method: string, path: string, options: Options, base = BASE): Promise<T> {
  const { body, version, signal } = options
  // Always there: without it the browser would ask for a password in a window of its own.
  const headers: Record<string, string> = { 'x-csrf-token': csrfToken }
  if (body !== undefined) headers['content-type'] = 'application/json'
  if (version !== undefined) headers['if-match'] = `"${version}"`
  const response = await fetch(base + path, {
    method,
    headers,
    credentials: 'same-origin',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  }).catch((error: unknown) => {
    if (signal?.aborted) throw error
    onUnreachable()
    throw new ApiError(0, { code: 'unreachable', detail: '' })
  })
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T
  const problem = await problemOf(response)
  // A wrong password at the sign-in is said there.
  if (response.status === 401 && path !== '/session') onSignedOut()
  throw new ApiError(response.status, problem)
}

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text()
  try {
    const body = JSON.parse(text) as Partial<Problem>
    if (typeof body.detail === 'string' && typeof body.code === 'string') {
      return { ...body, detail: body.detail, code: body.code }
    }
  } catch {
    // A proxy in between has its own pages.
  }
  return { code: 'unreachable', detail: text.slice(0, 300) }
}

function searchOf(query: Query): string {
  const entries = Object.entries(query).filter(([, value]) => value !== undefined && value !== '')
  if (entries.length === 0) return ''
  const texts = entries.map(([name, value]): [string, string] => [name, String(value)])
  return `?${new URLSearchParams(texts)}`
}

import type { S3ClientConfig } from '@aws-sdk/client-s3'

/*
 * The requests of the SDK go out through Bun's own client: it takes the certificates of a private
 * authority per call, sends buffers without another copy in JavaScript, and keeps connections.
 */

/** Until the answer begins; a part that is being sent gets a second more for each … */
const ANSWER_MS = 60_000
/** … so many bytes. */
const SLOWEST_BYTES_PER_SECOND = 128 * 1024
/** A body that brings nothing for so long has stalled. */
const BODY_IDLE_MS = 60_000

interface SdkRequest {
  protocol: string
  hostname: string
  port?: number
  path: string
  query?: Record<string, string | string[] | null>
  headers: Record<string, string>
  method: string
  body?: unknown
}

export function createS3Http({
  ca,
}: {
  ca: string | undefined
}): NonNullable<S3ClientConfig['requestHandler']> {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    destroy() {},
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
    async handle(request: SdkRequest, { abortSignal }: { abortSignal?: AbortSignal } = {}) {
      const body = bodyOf(request.body)
      const stop = new AbortController()
      const size = body instanceof Uint8Array ? body.length : (body?.size ?? 0)
      const timer = setTimeout(
        () => stop.abort(),
        ANSWER_MS + (size / SLOWEST_BYTES_PER_SECOND) * 1000,
      )
      const signal = abortSignal ? AbortSignal.any([stop.signal, abortSignal]) : stop.signal
      try {
        const response = await fetch(urlOf(request), {
          method: request.method,
          headers: headersOf(request.headers),
          redirect: 'manual',
          decompress: false,
          signal,
          ...(body === undefined ? {} : { body }),
          ...(ca === undefined ? {} : { tls: { ca } }),
        })
        return {
          response: {
            statusCode: response.status,
            reason: response.statusText,
            headers: Object.fromEntries(response.headers),
            body: response.body ? watched(response.body, stop) : new Uint8Array(),
          },
        }
      } catch (error) {
        if (abortSignal?.aborted) throw error
        throw transient(error, stop.signal.aborted)
      } finally {
        clearTimeout(timer)
      }
    },
  }
}

function bodyOf(body: unknown): Uint8Array<ArrayBuffer> | Blob | undefined {
  if (body === undefined || body === null || body === '') return undefined
  if (typeof body === 'string') return Buffer.from(body)
  if (body instanceof Blob) return body
  if (body instanceof Uint8Array) return body as Uint8Array<ArrayBuffer>
  throw new TypeError('an S3 request with a body that cannot be sent twice')
}

function headersOf(given: Record<string, string>): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(given)) {
    // Bun sets these itself, from the address and the body.
    if (!['host', 'content-length', 'expect'].includes(name.toLowerCase())) headers.set(name, value)
  }
  return headers
}

/** As the SDK has signed it, so not through `URL`, which would encode other characters. */
function urlOf({ protocol, hostname, port, path, query = {} }: SdkRequest): string {
  const words = Object.entries(query).flatMap(([name, value]) =>
    [value].flat().map((one) => `${encode(name)}=${one === null ? '' : encode(one)}`),
  )
  const host = port === undefined ? hostname : `${hostname}:${port}`
  return `${protocol}//${host}${path}${words.length > 0 ? `?${words.join('&')}` : ''}`
}

function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** The body, ended with an error when it stalls. */
function watched(
  body: ReadableStream<Uint8Array>,
  stop: AbortController,
): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const timer = setTimeout(() => stop.abort(), BODY_IDLE_MS)
      try {
        const { done, value } = await reader.read()
        if (done) controller.close()
        else controller.enqueue(value)
      } catch (error) {
        controller.error(transient(error, stop.signal.aborted))
      } finally {
        clearTimeout(timer)
      }
    },
    async cancel(reason) {
      await reader.cancel(reason).catch(() => {})
      stop.abort()
    },
  })
}

/** In the words by which the SDK knows that another try may help. */
function transient(error: unknown, isTimeout: boolean): Error {
  const message = isTimeout
    ? 'no answer in time'
    : error instanceof Error
      ? error.message
      : String(error)
  return Object.assign(new Error(message, { cause: error }), {
    name: isTimeout ? 'TimeoutError' : 'NetworkError',
    $retryable: { throttling: false },
  })
}

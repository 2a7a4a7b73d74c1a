import type { Server } from 'bun'
import { newHex } from '../lib/ids.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import type { TlsPair } from '../lib/tls.ts'
import type { Face, RequestContext } from './context.ts'
import { createForwarded, isHost } from './forwarded.ts'
import { notFound } from './not-found.ts'

/*
 * Bun.serve and what every request has: a context, one line in the log, one entry in the metrics.
 * The cures for Bun's traps stand here once:
 * - maxRequestBodySize defaults to 128 MiB, layers are larger.
 * - idleTimeout is at most 255 s and cuts active uploads that are slow; `keepOpen` lifts it, and
 *   the readers of bodies have a watchdog of their own (body.ts).
 */

/**
 * The most that Bun takes. `keepOpen` does not reach files that are being sent: there this is how
 * long a slow reader may need for what the kernel has buffered (1.4 MB at 6 KB/s).
 */
const IDLE_SECONDS = 255

export interface ServerOptions {
  hostname: string
  port: number
  tls: TlsPair | undefined
  /** Several processes accept on one port. */
  reusePort: boolean
  publicUrl: string | undefined
  trustedProxies: readonly string[]
  log: Log
  metrics: Metrics
  /** The face for a path; undefined: 404. */
  faceOf(path: string): Face | undefined
}

export interface HttpServer {
  port: number
  /** Serves new connections with another certificate. */
  reloadTls(tls: TlsPair): void
  /** Goes on serving, but every connection ends with its next answer: its client opens one elsewhere. */
  drain(): void
  /** Takes no new requests and waits for those that run, at most `graceMs`. */
  stop(graceMs: number): Promise<void>
}

export function startServer(options: ServerOptions): HttpServer {
  const { log, metrics, faceOf, publicUrl } = options
  const reached = createForwarded(options.trustedProxies)
  const directScheme = options.tls ? 'https' : 'http'
  let running = 0
  let isDraining = false

  function contextOf(
    request: Request,
    server: Server<undefined>,
  ): RequestContext & { closeWhenIdle(): void } {
    let kept = false
    const { path, search } = splitUrl(request.url)
    const peer = server.requestIP(request)?.address ?? ''
    const host = request.headers.get('host') ?? ''
    const client = reached(request.headers, peer, {
      scheme: directScheme,
      host: isHost(host) ? host : 'localhost',
    })
    return {
      request,
      method: request.method,
      path,
      query: new URLSearchParams(search),
      address: client.address,
      requestId: newHex(8),
      origin: publicUrl ?? `${client.scheme}://${client.host}`,
      host: client.host,
      route: 'unknown',
      received: 0,
      keepOpen() {
        kept = true
        server.timeout(request, 0)
      },
      // Else a connection whose upload ended, or never will, would stay for ever.
      closeWhenIdle() {
        if (kept) server.timeout(request, IDLE_SECONDS)
      },
    }
  }

  async function answer(context: RequestContext): Promise<Response> {
    const face = faceOf(context.path)
    if (!face) return notFound()
    try {
      return await face.handle(context)
    } catch (error) {
      return face.renderError(error, context)
    }
  }

  function record(context: RequestContext, response: Response, startedAt: number): void {
    const milliseconds = performance.now() - startedAt
    const announced = Number(context.request.headers.get('content-length') ?? 0)
    const bytesIn = context.received || announced
    const bytesOut = Number(response.headers.get('content-length') ?? 0)
    const { route, method } = context
    metrics.request({
      route,
      method,
      status: response.status,
      seconds: milliseconds / 1000,
      bytesIn,
      bytesOut,
    })
    // Probes ask all day long: their lines would push out those that somebody looks for.
    const level = context.isProbe && response.status < 400 ? 'debug' : 'info'
    if (!log.enabled(level)) return
    log[level]('request', {
      id: context.requestId,
      principal: context.principal?.name ?? 'anonymous',
      address: context.address,
      method,
      route,
      path: context.path,
      status: response.status,
      bytes: bytesOut,
      received: bytesIn,
      ms: Math.round(milliseconds * 10) / 10,
    })
  }

  const listen = (port: number, tls: TlsPair | undefined) =>
    Bun.serve({
      hostname: options.hostname,
      port,
      // With TLS a second listener takes over when the certificate changes.
      reusePort: options.reusePort || tls !== undefined,
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      idleTimeout: IDLE_SECONDS,
      ...(tls ? { tls } : {}),
      async fetch(request, self) {
        const startedAt = performance.now()
        const context = contextOf(request, self)
        running++
        try {
          const response = await answer(context)
          context.closeWhenIdle()
          response.headers.set('x-request-id', context.requestId)
          // What a type says is all that a browser may make of bytes that somebody pushed.
          response.headers.set('x-content-type-options', 'nosniff')
          if (isDraining && isBodyRead(request, response)) {
            response.headers.set('connection', 'close')
          }
          record(context, response, startedAt)
          return response
        } finally {
          running--
        }
      },
      error(error) {
        log.error('request failed outside of any face', { error })
        return new Response('internal error\n', { status: 500 })
      },
    })

  let server = listen(options.port, options.tls)
  const port = server.port ?? options.port

  return {
    port,
    // Bun ignores a new certificate in `server.reload()`.
    reloadTls(tls) {
      const old = server
      server = listen(port, tls)
      old.stop().catch((error: unknown) => log.error('listener not stopped', { error }))
    },
    drain() {
      isDraining = true
    },
    async stop(graceMs) {
      isDraining = true
      const deadline = Date.now() + graceMs
      const drained = server.stop()
      // A connection whose last body was not read to its end never counts as drained, so what is
      // waited for are requests: `pendingRequests` includes answers that are still being sent.
      const busy = () => running > 0 || server.pendingRequests > 0
      while (busy() && Date.now() < deadline) await Bun.sleep(20)
      await Promise.race([drained, Bun.sleep(Math.min(200, Math.max(0, deadline - Date.now())))])
      await server.stop(true)
    },
  }
}

/** A refusal may come before its body: a client that still sends must be able to read it. */
function isBodyRead({ headers }: Request, { status }: Response): boolean {
  const hasBody = headers.has('transfer-encoding') || (headers.get('content-length') ?? '0') !== '0'
  return !hasBody || status < 400
}

/**
 * The path, and the query without its question mark. Bun has resolved `..` and `\` in the path,
 * and percent-encoded what is not ASCII; without a usable Host it hands over the bare path.
 */
function splitUrl(url: string): { path: string; search: string } {
  const start = url.startsWith('/') ? 0 : url.indexOf('/', url.indexOf('://') + 3)
  const question = url.indexOf('?', start)
  if (question < 0) return { path: url.slice(start), search: '' }
  return { path: url.slice(start, question), search: url.slice(question + 1) }
}

/**
 * Stands before a registry and counts the bytes of blobs that pass, in both directions, also of
 * requests that break off; at most so many bytes per second, so that a test can meet a copy under way.
 */
export type CountingProxy = {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  /** Bytes of blobs that were read through it, by digest. */
  readonly read: ReadonlyMap<string, number>
  /** Bytes of blobs that were written through it, by digest; of uploads without an end by address. */
  readonly written: () => ReadonlyMap<string, number>
  /** Ports from which bytes of blobs were sent to it: they name the process that did. */
  readonly writers: ReadonlySet<number>
  /** Bytes of blobs in either direction. */
  readonly total: () => number
  /** Lets no more bytes of blobs pass than these, in all. */
  readonly allow: (bytes: number) => void
  /** Ends all connections, and takes no other until `mend`. */
  readonly cut: () => Promise<void>
  readonly mend: () => void
  readonly stop: () => Promise<void>
}

export const startCountingProxy = (
  target: string,
  { bytesPerSecond = Number.POSITIVE_INFINITY }: { readonly bytesPerSecond?: number } = {},
): CountingProxy => {
  const read = new Map<string, number>()
  const byUpload = new Map<string, number>()
  const digestOf = new Map<string, string>()
  const writers = new Set<number>()
  let total = 0
  let allowed = Number.POSITIVE_INFINITY
  let freeAt = performance.now()

  const add = (map: Map<string, number>, key: string, bytes: number) => {
    map.set(key, (map.get(key) ?? 0) + bytes)
    total += bytes
  }

  const counted = (body: ReadableStream<Uint8Array>, map: Map<string, number>, key: string) => {
    const reader = body.getReader()
    return new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await reader.read()
        if (done) return controller.close()
        add(map, key, value.length)
        const now = performance.now()
        freeAt = Math.max(freeAt, now) + (value.length / bytesPerSecond) * 1000
        if (freeAt > now + 5) await Bun.sleep(freeAt - now)
        while (total > allowed) await Bun.sleep(20)
        controller.enqueue(value)
      },
      cancel: (reason) => reader.cancel(reason),
    })
  }

  const serve = (port: number) =>
    Bun.serve({
      hostname: '127.0.0.1',
      port,
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      idleTimeout: 0,
      async fetch(request, connections) {
        const url = new URL(request.url)
        const headers = new Headers(request.headers)
        headers.delete('connection')
        const upload = /\/blobs\/uploads\/([^/]+)$/.exec(url.pathname)?.[1]
        const digest = url.searchParams.get('digest')
        if (upload !== undefined && digest !== null) digestOf.set(upload, digest)
        const writer = connections.requestIP(request)?.port
        if (request.body && upload && writer !== undefined) writers.add(writer)
        const body = request.body && counted(request.body, byUpload, upload ?? 'other')
        const answer = await fetch(`${target}${url.pathname}${url.search}`, {
          method: request.method,
          headers,
          redirect: 'manual',
          decompress: false,
          signal: request.signal,
          ...(body ? { body } : {}),
        })
        const blob = /\/blobs\/(sha256:[0-9a-f]{64})$/.exec(url.pathname)?.[1]
        const isRead = request.method === 'GET' && blob !== undefined && answer.ok
        const passed = isRead && answer.body ? counted(answer.body, read, blob) : answer.body
        return new Response(passed, { status: answer.status, headers: answer.headers })
      },
      error: () => new Response('the registry behind the proxy did not answer', { status: 502 }),
    })
  let server = serve(0)
  const port = server.port ?? 0

  return {
    url: `http://127.0.0.1:${port}`,
    read,
    writers,
    written: () => {
      const byDigest = new Map<string, number>()
      for (const [upload, bytes] of byUpload) {
        const key = digestOf.get(upload) ?? upload
        byDigest.set(key, (byDigest.get(key) ?? 0) + bytes)
      }
      return byDigest
    },
    total: () => total,
    allow: (bytes) => {
      allowed = bytes
    },
    cut: () => server.stop(true),
    mend: () => {
      server = serve(port)
    },
    stop: () => server.stop(true),
  }
}

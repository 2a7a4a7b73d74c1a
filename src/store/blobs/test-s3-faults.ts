import { createServer, type IncomingHttpHeaders, request } from 'node:http'

/** What happens to a request on its way to the S3 server. */
export type Fault =
  /** The server says that something went wrong, and nothing was done. */
  | 'error'
  /** It is asked too much. */
  | 'busy'
  /** The connection ends while the request is read. */
  | 'cut'
  /** Everything is done, and the answer gets lost. */
  | 'lost'
  /** Half of the answer's body comes. */
  | 'half'
  /** It takes its time. */
  | 'slow'

export interface FaultyRequest {
  method: string
  /** With the query. */
  url: string
}

export interface S3FaultProxy {
  endpoint: string
  /** Decides for every request from now on; undefined: it passes. */
  decide: (request: FaultyRequest) => Fault | undefined
  /** How often each fault happened. */
  counts: Map<Fault, number>
  stop(): Promise<void>
}

/** A proxy on loopback before an S3 server. Signatures stay valid, since it passes the Host on. */
export async function startS3Faults(target: string): Promise<S3FaultProxy> {
  const { hostname, port } = new URL(target)
  const server = createServer(async (incoming, outgoing) => {
    const { method = 'GET', url = '/', headers } = incoming
    const fault = proxy.decide({ method, url })
    if (fault) proxy.counts.set(fault, (proxy.counts.get(fault) ?? 0) + 1)
    if (fault === 'cut') {
      incoming.socket.destroy()
      return
    }
    const chunks: Buffer[] = []
    try {
      for await (const chunk of incoming) chunks.push(chunk)
    } catch {
      return
    }
    if (fault === 'error' || fault === 'busy') {
      const [status, code] = fault === 'error' ? [500, 'InternalError'] : [503, 'SlowDown']
      const text = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>made up</Message></Error>`
      outgoing.writeHead(status, { 'content-type': 'application/xml' }).end(text)
      return
    }
    if (fault === 'slow') await Bun.sleep(400)
    try {
      const answer = await pass({ hostname, port }, method, url, headers, Buffer.concat(chunks))
      if (fault === 'lost') {
        incoming.socket.destroy()
        return
      }
      outgoing.writeHead(answer.status, answer.headers)
      if (fault === 'half') {
        outgoing.write(answer.body.subarray(0, answer.body.length >> 1))
        await Bun.sleep(20)
        incoming.socket.destroy()
      } else outgoing.end(answer.body)
    } catch {
      incoming.socket.destroy()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const proxy: S3FaultProxy = {
    endpoint: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    decide: () => undefined,
    counts: new Map(),
    async stop() {
      server.closeAllConnections()
      server.close()
    },
  }
  return proxy
}

function pass(
  to: { hostname: string; port: string },
  method: string,
  path: string,
  headers: IncomingHttpHeaders,
  body: Buffer,
): Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...to, method, path, headers }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        const { statusCode: status = 502, headers: given } = answer
        resolve({ status, headers: given, body: Buffer.concat(chunks) })
      })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

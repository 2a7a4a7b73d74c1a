import { createServer, type IncomingHttpHeaders, request } from 'node:http'

/** What happens to a request on its way to the S3 server. */
export const FAULTS = ['error', 'busy', 'cut', 'lost', 'truncated', 'slow'] as const
/**
 * `error`: 500, nothing was done. `busy`: 503. `cut`: the connection ends before anything was done.
 * `lost`: all was done, but the answer does not arrive. `truncated`: half of the answer's body
 * arrives. `slow`: it takes its time.
 */
export type Fault = (typeof FAULTS)[number]

export type S3Faults = {
  readonly endpoint: string
  /** Decides for each request from now on; undefined lets it pass. */
  decide: () => Fault | undefined
  readonly counts: Map<Fault, number>
  readonly stop: () => void
}

const SLOW_MS = 1_500

type Answer = { status: number; headers: IncomingHttpHeaders; body: Buffer }

/** Stands before an S3 server. Signatures stay valid, since the Host is passed on. */
export const startS3Faults = async (target: string): Promise<S3Faults> => {
  const { hostname, port } = new URL(target)

  const pass = (method: string, path: string, headers: IncomingHttpHeaders, body: Buffer) =>
    new Promise<Answer>((resolve, reject) => {
      const outgoing = request({ hostname, port, method, path, headers }, (answer) => {
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

  const server = createServer(async (incoming, outgoing) => {
    const { method = 'GET', url = '/', headers } = incoming
    const fault = faults.decide()
    if (fault) faults.counts.set(fault, (faults.counts.get(fault) ?? 0) + 1)
    try {
      if (fault === 'cut') {
        incoming.socket.destroy()
        return
      }
      const chunks: Buffer[] = []
      for await (const chunk of incoming) chunks.push(chunk)
      if (fault === 'error' || fault === 'busy') {
        const [status, code] = fault === 'error' ? [500, 'InternalError'] : [503, 'SlowDown']
        const text = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>made up</Message></Error>`
        outgoing.writeHead(status, { 'content-type': 'application/xml' }).end(text)
        return
      }
      if (fault === 'slow') await Bun.sleep(SLOW_MS)
      const answer = await pass(method, url, headers, Buffer.concat(chunks))
      if (fault === 'lost') {
        incoming.socket.destroy()
        return
      }
      outgoing.writeHead(answer.status, answer.headers)
      if (fault !== 'truncated') {
        outgoing.end(answer.body)
        return
      }
      outgoing.write(answer.body.subarray(0, answer.body.length >> 1))
      await Bun.sleep(20)
      incoming.socket.destroy()
    } catch {
      incoming.socket.destroy()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('no port')
  const faults: S3Faults = {
    endpoint: `http://127.0.0.1:${address.port}`,
    decide: () => undefined,
    counts: new Map(),
    stop() {
      server.closeAllConnections()
      server.close()
    },
  }
  return faults
}

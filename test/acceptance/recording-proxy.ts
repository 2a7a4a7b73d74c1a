import { appendFileSync } from 'node:fs'

/*
 * Passes connections on and writes all that goes over them into a file:
 * `bun recording-proxy.ts <host> <port> <target host> <target port> <file>`.
 */

const [hostname = '', port = '', toHost = '', toPort = '', file = ''] = process.argv.slice(2)

interface Pipe {
  other?: Bun.Socket<Pipe>
  waiting: Uint8Array[]
}

const socket: Bun.SocketHandler<Pipe> = {
  async open(from) {
    if (from.data?.other) return
    from.data = { waiting: [] }
    try {
      const other = await Bun.connect<Pipe>({
        hostname: toHost,
        port: Number(toPort),
        data: { other: from, waiting: [] },
        socket,
      })
      from.data.other = other
      for (const bytes of from.data.waiting.splice(0)) send(other, bytes)
    } catch {
      from.end()
    }
  },
  data(from, bytes) {
    appendFileSync(file, bytes)
    if (from.data.other) send(from.data.other, bytes)
    else from.data.waiting.push(new Uint8Array(bytes))
  },
  drain(to) {
    const waiting = to.data.waiting.splice(0)
    for (const bytes of waiting) send(to, bytes)
  },
  close(from) {
    from.data?.other?.end()
  },
  error(from) {
    from.data?.other?.end()
  },
}

/** What the socket does not take now waits for `drain`. */
function send(to: Bun.Socket<Pipe>, bytes: Uint8Array): void {
  if (to.data.waiting.length > 0) {
    to.data.waiting.push(new Uint8Array(bytes))
    return
  }
  const sent = Math.max(to.write(bytes), 0)
  if (sent < bytes.length) to.data.waiting.push(new Uint8Array(bytes.subarray(sent)))
}

Bun.listen<Pipe>({ hostname, port: Number(port), socket })
process.stdout.write('listening\n')

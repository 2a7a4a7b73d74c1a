import { connect, createServer, type Socket } from 'node:net'
import {
  fieldOf,
  type Head,
  requestFraming,
  responseFraming,
  splitHead,
  statusOf,
  watchBody,
  writeHead,
} from './http-wire.ts'
import { freePort } from './server.ts'

/**
 * A load balancer without sticky sessions: each request goes to the next replica, also those that
 * come on one connection. Bodies pass as they come, with back-pressure and nothing kept.
 */
export type Balancer = {
  readonly url: string
  readonly port: number
  /** How many requests each replica was given, in the order of their ports. */
  readonly given: readonly number[]
  readonly stop: () => Promise<void>
}

export type BalancerOptions = {
  readonly port?: number
  /**
   * Asks `/readyz` of each replica so often, in milliseconds, and leaves out those that say no, as
   * load balancers are set up to. Without it only those that refuse connections are left out.
   */
  readonly checkMs?: number
}

const HEAD_LIMIT = 256 * 1024
/** Who was answered in the middle of a body has so long to send the rest. */
const LINGER_MS = 5_000
const TLS_HANDSHAKE = 0x16

/** The bytes of a connection, one after the other; `next` is undefined once there are no more. */
const createSource = (socket: Socket) => {
  const waiting: Buffer[] = []
  let ended = false
  let wake = () => {}
  socket.pause()
  socket.on('data', (bytes: Buffer) => {
    waiting.push(bytes)
    socket.pause()
    wake()
  })
  for (const event of ['end', 'close', 'error']) {
    socket.on(event, () => {
      ended = true
      wake()
    })
  }
  const next = async (): Promise<Buffer | undefined> => {
    while (waiting.length === 0 && !ended) {
      const come = new Promise<void>((resolve) => {
        wake = resolve
      })
      socket.resume()
      await come
    }
    return waiting.shift()
  }
  return {
    next,
    /** Puts back what belongs to the next message. */
    unread: (bytes: Buffer) => {
      if (bytes.length > 0) waiting.unshift(bytes)
    },
    async head(): Promise<Head | undefined> {
      let bytes: Buffer = Buffer.alloc(0)
      while (bytes.length < HEAD_LIMIT) {
        const more = await next()
        if (!more) return undefined
        bytes = Buffer.concat([bytes, more])
        // skopeo and podman try TLS first, and would wait ten seconds for an answer to it.
        if (bytes[0] === TLS_HANDSHAKE) return undefined
        const split = splitHead(bytes)
        if (!split) continue
        if (split.rest.length > 0) waiting.unshift(split.rest)
        return split.head
      }
      return undefined
    },
  }
}

type Source = ReturnType<typeof createSource>

/** False: the other side is gone. */
const send = async (socket: Socket, bytes: Buffer): Promise<boolean> => {
  if (socket.destroyed || !socket.writable) return false
  if (socket.write(bytes)) return true
  return new Promise((resolve) => {
    const settle = () => {
      socket.off('drain', settle)
      socket.off('close', settle)
      resolve(!socket.destroyed)
    }
    socket.on('drain', settle)
    socket.on('close', settle)
  })
}

const connectTo = (port: number): Promise<Socket | undefined> =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    socket.once('connect', () => resolve(socket))
    // Stays: a connection that breaks later tells by its end.
    socket.on('error', () => resolve(undefined))
  })

export const startBalancer = async (
  ports: readonly number[],
  { port = freePort(), checkMs }: BalancerOptions = {},
): Promise<Balancer> => {
  const given = ports.map(() => 0)
  const unready = new Set<number>()
  const clients = new Set<Socket>()
  let turn = 0

  /** A connection to the next replica that takes one. */
  const nextReplica = async (): Promise<{ socket: Socket; host: string } | undefined> => {
    for (let tried = 0; tried < ports.length; tried++) {
      const index = turn++ % ports.length
      const target = ports[index]
      if (target === undefined || unready.has(target)) continue
      const socket = await connectTo(target)
      if (!socket) continue
      given[index] = (given[index] ?? 0) + 1
      return { socket, host: `127.0.0.1:${target}` }
    }
    return undefined
  }

  const answer = async (client: Socket, status: string) => {
    const text = `HTTP/1.1 ${status}\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n`
    return send(client, Buffer.from(text))
  }

  /** True: the answer went through whole, and the connection may be used again. */
  const passAnswer = async (client: Socket, upstream: Source, method: string): Promise<boolean> => {
    for (;;) {
      const head = await upstream.head()
      if (!head) return answer(client, '502 Bad Gateway')
      const isInterim = statusOf(head) < 200
      const framing = responseFraming(head, method)
      const replaced = { connection: framing === 'close' ? 'close' : 'keep-alive' }
      if (!(await send(client, writeHead(head, isInterim ? {} : replaced)))) return false
      if (isInterim) continue
      const body = watchBody(framing)
      while (!body.done) {
        const bytes = await upstream.next()
        // What breaks off here must break off there.
        if (!bytes) return false
        body.feed(bytes)
        if (!(await send(client, bytes))) return false
      }
      return true
    }
  }

  const passBody = async (from: Source, head: Head, to: Socket): Promise<boolean> => {
    const body = watchBody(requestFraming(head))
    while (!body.done) {
      const bytes = await from.next()
      if (!bytes) return false
      const taken = body.feed(bytes)
      from.unread(bytes.subarray(taken))
      // Whoever was answered early may still send; that is read and dropped.
      await send(to, bytes.subarray(0, taken))
    }
    return true
  }

  const serve = async (client: Socket) => {
    const source = createSource(client)
    for (;;) {
      const head = await source.head()
      if (!head) break
      const target = await nextReplica()
      if (!target) {
        if (!(await answer(client, '503 Service Unavailable'))) break
        break
      }
      const { socket, host } = target
      const leave = () => socket.destroy()
      client.once('close', leave)
      const forwardedFor = fieldOf(head, 'x-forwarded-for')
      const peer = client.remoteAddress ?? '127.0.0.1'
      await send(
        socket,
        writeHead(head, {
          host,
          connection: 'close',
          'x-forwarded-for': forwardedFor ? `${forwardedFor}, ${peer}` : peer,
          'x-forwarded-proto': 'http',
          'x-forwarded-host': fieldOf(head, 'host') ?? '',
        }),
      )
      const [method = ''] = head.start.split(' ')
      const sent = passBody(source, head, socket)
      const whole = await passAnswer(client, createSource(socket), method)
      socket.destroy()
      const isLast = /close/i.test(fieldOf(head, 'connection') ?? '')
      if (!whole || isLast) break
      const isSent = await Promise.race([sent, Bun.sleep(LINGER_MS).then(() => false)])
      if (!isSent) break
      client.off('close', leave)
    }
    client.end()
    // One who still sends is not waited for longer than it takes to see the answer.
    setTimeout(() => client.destroy(), 1_000).unref()
  }

  const server = createServer({ noDelay: true }, (client) => {
    clients.add(client)
    client.on('close', () => clients.delete(client))
    client.on('error', () => client.destroy())
    serve(client).catch(() => client.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })

  const check = async (target: number) => {
    const answered = await fetch(`http://127.0.0.1:${target}/readyz`, { keepalive: false }).catch(
      () => undefined,
    )
    await answered?.arrayBuffer()
    if (answered?.status === 200) unready.delete(target)
    else unready.add(target)
  }
  const timer =
    checkMs === undefined
      ? undefined
      : setInterval(() => {
          for (const target of ports) void check(target)
        }, checkMs)

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    given,
    async stop() {
      clearInterval(timer)
      for (const client of clients) client.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

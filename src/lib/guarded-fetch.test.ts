import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createServer, type Server, type Socket } from 'node:net'
import { createGuardedFetch, type GuardedRequest } from './guarded-fetch.ts'
import { readBody, readJson } from './guarded-fetch-body.ts'
import { createSelfSigned } from './self-signed.ts'
import { failureOf } from './test-failure.ts'

const DAY = 86_400_000
const LOOPBACK = ['127.0.0.0/8', '::1/128']
const certificate = createSelfSigned({ names: ['registry.test'], now: Date.now(), days: 10 })
const other = createSelfSigned({ names: ['other.test'], now: Date.now(), days: 10 })
const expired = createSelfSigned({ names: ['registry.test'], now: Date.now() - 30 * DAY, days: 5 })
const future = createSelfSigned({ names: ['registry.test'], now: Date.now() + 30 * DAY, days: 5 })
const byAddress = createSelfSigned({ names: ['127.0.0.1'], now: Date.now(), days: 5 })

/** Every name is this machine. */
const guarded = createGuardedFetch({
  allowedNetworks: LOOPBACK,
  resolve: async () => ['127.0.0.1'],
})

const stops: (() => unknown)[] = []
afterAll(async () => {
  for (const stop of stops) await stop()
})

type Handler = (request: Request) => Response | Promise<Response>
function serve(
  fetch: Handler,
  tls?: { cert: string; key: string },
  hostname = '127.0.0.1',
): number {
  const server = Bun.serve({ port: 0, hostname, fetch, ...(tls ? { tls } : {}) })
  stops.push(() => server.stop(true))
  return server.port ?? 0
}

/** Answers each first piece with bytes as they are. */
async function serveRaw(answer: (socket: Socket, path: string) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', (data) => answer(socket, String(data).split(' ')[1] ?? ''))
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  stops.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

describe('a connection', () => {
  test('goes to the judged address, with the name in Host and TLS', async () => {
    const port = serve((request) => new Response(request.headers.get('host')), certificate)
    const caCertificate = certificate.cert
    const response = await guarded(`https://registry.test:${port}/`, { caCertificate })
    expect(await response.text()).toBe(`registry.test:${port}`)
  })

  test('also without TLS, over IPv6, and to addresses with certificates of their own', async () => {
    const plain = serve(() => new Response('plain'))
    expect(await (await guarded(`http://registry.test:${plain}/`)).text()).toBe('plain')
    const literal = serve(() => new Response('literal'), byAddress)
    const options = { caCertificate: byAddress.cert }
    expect(await (await guarded(`https://127.0.0.1:${literal}/`, options)).text()).toBe('literal')
    const six = serve(() => new Response('six'), certificate, '::1')
    const fetch = createGuardedFetch({ allowedNetworks: LOOPBACK, resolve: async () => ['::1'] })
    const url = `https://registry.test:${six}/`
    expect(await (await fetch(url, { caCertificate: certificate.cert })).text()).toBe('six')
  })

  test('tries the next address of a name, and remembers the one that answered', async () => {
    const asked: string[] = []
    const port = serve((request) => {
      asked.push(request.method)
      return new Response('here')
    })
    const fetch = createGuardedFetch({
      allowedNetworks: LOOPBACK,
      resolve: async () => ['127.0.0.2', '127.0.0.1'],
    })
    const body = () => new Blob(['x']).stream()
    for (const method of ['GET', 'PUT']) {
      const options = method === 'PUT' ? { method, body: body() } : {}
      expect(await (await fetch(`http://registry.test:${port}/`, options)).text()).toBe('here')
    }
    expect(asked).toEqual(['GET', 'PUT'])
  })

  test.each([
    ['certificate_expired', expired, { caCertificate: expired.cert }],
    ['certificate_not_yet_valid', future, { caCertificate: future.cert }],
    ['certificate_name', other, { caCertificate: other.cert }],
    ['certificate_untrusted', certificate, {}],
    ['certificate_untrusted', certificate, { caCertificate: other.cert }],
    ['certificate_authority', certificate, { caCertificate: 'not PEM' }],
  ] as const)('names what is wrong: %s', async (problem, tls, options) => {
    const port = serve(() => new Response('reached'), tls)
    const asked = guarded(`https://registry.test:${port}/?sig=secret`, options)
    expect(Bun.inspect(await asked.catch((error) => error))).not.toContain('secret')
    const failure = await failureOf(asked)
    expect(failure).toMatchObject({ code: 'remote_unreachable', problem })
    expect(failure.message).toContain(`registry.test:${port}`)
    expect(failure.message).not.toContain('secret')
  })

  test('looks at no certificate only in the call that says so', async () => {
    const port = serve(() => new Response('reached'), other)
    const url = `https://registry.test:${port}/`
    expect(await (await guarded(url, { verifyTls: false })).text()).toBe('reached')
    expect(await failureOf(guarded(url))).toMatchObject({ problem: 'certificate_untrusted' })
  })

  test('says that nothing listens, or something else than HTTP', async () => {
    const port = await serveRaw((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'))
    expect(await failureOf(guarded(`http://a.test:${port}/`))).toMatchObject({
      problem: 'not_http',
    })
    const plain = serve(() => new Response())
    expect(await failureOf(guarded(`https://a.test:${plain}/`))).toMatchObject({ problem: 'tls' })
    expect(await failureOf(guarded('http://a.test:1/'))).toMatchObject({ problem: 'refused' })
  })
})

describe('an answer', () => {
  let port = 0
  beforeAll(async () => {
    port = await serveRaw((socket, path) => {
      if (path === '/hang') return
      const length = path === '/empty' ? 0 : 100
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`)
      if (path === '/cut') socket.end('0123')
      if (path === '/stall') socket.write('0123')
    })
  })
  const text = async (path: string, options: GuardedRequest = {}) =>
    (await guarded(`http://a.test:${port}${path}`, options)).text()

  test('that does not begin, or does not go on, is given up', async () => {
    const limits = { answer: 60, idle: 60 }
    expect(await failureOf(text('/hang', { limits }))).toMatchObject({ problem: 'timeout' })
    expect(await failureOf(text('/stall', { limits }))).toMatchObject({ problem: 'timeout' })
    const total = { limits: { total: 60 } }
    expect(await failureOf(text('/stall', total))).toMatchObject({ problem: 'timeout' })
  })

  test('that ends too early is an error', async () => {
    expect(await failureOf(text('/cut'))).toMatchObject({ problem: 'closed' })
  })

  test('is given up with the reason of the signal', async () => {
    for (const path of ['/hang', '/stall']) {
      const reason = new Error('changed my mind')
      const controller = new AbortController()
      setTimeout(() => controller.abort(reason), 30)
      await expect(text(path, { signal: controller.signal })).rejects.toBe(reason)
    }
    await expect(text('/empty', { signal: AbortSignal.abort('no') })).rejects.toBe('no')
  })

  test('is read only as far as one wants', async () => {
    let sent = 0
    const endless = serve(
      () =>
        new Response(
          new ReadableStream({
            async pull(controller) {
              sent += 65_536
              controller.enqueue(new Uint8Array(65_536))
              await Bun.sleep(0)
            },
          }),
        ),
    )
    const response = await guarded(`http://a.test:${endless}/`)
    expect(await failureOf(readBody(response, 100_000))).toMatchObject({ problem: 'too_large' })
    const atEnd = sent
    await Bun.sleep(100)
    expect(sent - atEnd).toBeLessThan(20_000_000)
    const nonsense = serve(() => new Response('{"token": "abc"'))
    const failure = await failureOf(guarded(`http://a.test:${nonsense}/`).then(readJson))
    expect(failure).toMatchObject({ code: 'remote_error', problem: 'answer' })
  })

  test('is not decompressed', async () => {
    const packed = Bun.gzipSync(Buffer.from('hello'))
    const zipped = serve(() => new Response(packed, { headers: { 'content-encoding': 'gzip' } }))
    const response = await guarded(`http://a.test:${zipped}/`)
    expect(Buffer.from(await response.bytes())).toEqual(Buffer.from(packed))
  })
})

describe('a body', () => {
  test('streams with the announced length, and its own error comes back', async () => {
    const port = serve(async (request) => {
      const size = (await request.arrayBuffer()).byteLength
      return new Response(`${request.headers.get('content-length')} ${size}`)
    })
    const pieces = (failAt: number) => {
      let sent = 0
      return new ReadableStream<Uint8Array>({
        pull(controller) {
          if (sent === failAt) throw new Error('the source broke')
          if (sent === 3) return controller.close()
          sent++
          controller.enqueue(new Uint8Array(1000))
        },
      })
    }
    const put = (failAt: number) =>
      guarded(`http://a.test:${port}/`, {
        method: 'PUT',
        headers: { 'content-length': '3000' },
        body: pieces(failAt),
      })
    expect(await (await put(9)).text()).toBe('3000 3000')
    await expect(put(2)).rejects.toThrow('the source broke')
  })

  test('may be slower at its source than the limit, but not at the server', async () => {
    const port = serve(async (request) => new Response(await request.text()))
    const slow = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await Bun.sleep(120)
        controller.enqueue(Buffer.from('late'))
        controller.close()
      },
    })
    const limits = { answer: 60, idle: 60 }
    const options = { method: 'PUT', body: slow, limits }
    expect(await (await guarded(`http://a.test:${port}/`, options)).text()).toBe('late')

    const deaf = await serveRaw((socket) => socket.pause())
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(1_000_000)),
    })
    const failure = failureOf(
      guarded(`http://a.test:${deaf}/`, { method: 'PUT', body: endless, limits }),
    )
    expect(await failure).toMatchObject({ problem: 'timeout' })
  })
})

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createServer, type Server, type Socket } from 'node:net'
import { isAppError } from './errors.ts'
import { createGuardedFetch, type GuardedRequest } from './guarded-fetch.ts'
import { kindOfAddress, rangeList } from './guarded-fetch-address.ts'
import { readBody, readJson } from './guarded-fetch-body.ts'
import { createNames } from './guarded-fetch-names.ts'
import { followRedirects } from './guarded-fetch-redirects.ts'
import { createSelfSigned } from './self-signed.ts'

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

async function failureOf(work: Promise<unknown>) {
  try {
    await work
  } catch (error) {
    if (isAppError(error)) return { code: error.code, ...error.details, message: error.message }
    throw error
  }
  throw new Error('it did not fail')
}

describe('addresses', () => {
  test.each([
    ['8.8.8.8', 'public'],
    ['2606:4700::1111', 'public'],
    ['::ffff:8.8.8.8', 'public'],
    ['64:ff9b::808:808', 'public'],
    ['10.1.2.3', 'private'],
    ['172.31.255.255', 'private'],
    ['192.168.0.1', 'private'],
    ['100.103.7.8', 'private'],
    ['fd12::1', 'private'],
    ['::ffff:10.0.0.1', 'private'],
    ['127.9.9.9', 'loopback'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['0:0:0:0:0:ffff:7f00:1', 'loopback'],
    ['64:ff9b::7f00:1', 'loopback'],
    ['169.254.1.1', 'link-local'],
    ['fe80::1', 'link-local'],
    ['169.254.169.254', 'metadata'],
    ['::ffff:a9fe:a9fe', 'metadata'],
    ['64:ff9b::a9fe:a9fe', 'metadata'],
    ['100.100.100.200', 'metadata'],
    ['fd00:ec2::254', 'metadata'],
    ['168.63.129.16', 'metadata'],
    ['224.0.0.1', 'multicast'],
    ['ff02::1', 'multicast'],
    ['0.0.0.0', 'reserved'],
    ['::', 'reserved'],
    ['::127.0.0.1', 'reserved'],
    ['2002:7f00:1::', 'reserved'],
    ['2001:0:1::', 'reserved'],
    ['255.255.255.255', 'reserved'],
    ['nonsense', 'reserved'],
  ] as const)('%s is %s', (address, kind) => {
    expect(kindOfAddress(address)).toBe(kind)
  })

  const targetOf = (text: string) => {
    const url = new URL(text)
    const hostname = url.hostname.replace(/^\[|\]$/g, '')
    return { url, hostname, host: url.host, port: url.port || '443' }
  }
  const namesOf = (addresses: string[], allowed: string[] = []) =>
    createNames({ allowed: rangeList(allowed), clock: () => 0, resolve: async () => addresses })

  test('a private one needs exactly its host and port', async () => {
    const names = namesOf(['10.0.0.5'])
    const target = targetOf('https://harbor.corp:8443/')
    expect(await names.addressesOf(target, ['harbor.corp:8443'])).toEqual(['10.0.0.5'])
    for (const allowed of [[], ['harbor.corp:443'], ['harbor.corp'], ['xharbor.corp:8443']]) {
      const failure = await failureOf(names.addressesOf(target, allowed))
      expect(failure).toMatchObject({ code: 'address_refused', kind: 'private' })
      expect(failure.message).toContain('exactly harbor.corp:8443')
      expect(failure.message).not.toContain('10.0.0.5')
    }
    const literal = targetOf('https://[fd00::7]:8443/')
    expect(await names.addressesOf(literal, ['[fd00::7]:8443'])).toEqual(['fd00::7'])
  })

  test('nothing but the setting opens loopback and metadata', async () => {
    for (const address of ['127.0.0.1', '169.254.169.254', 'fd00:ec2::254', '::ffff:127.0.0.1']) {
      const target = targetOf('https://registry.test/')
      const closed = namesOf([address]).addressesOf(target, ['registry.test:443'])
      expect(await failureOf(closed)).toMatchObject({ code: 'address_refused' })
      const open = namesOf([address], ['127.0.0.0/8', '169.254.169.254', 'fd00:ec2::/64'])
      expect(await open.addressesOf(target, [])).toEqual([address])
    }
  })

  test('of several only those that may be asked are', async () => {
    const target = targetOf('https://registry.test/')
    const names = namesOf(['127.0.0.1', '8.8.8.8', '10.0.0.1'])
    expect(await names.addressesOf(target, [])).toEqual(['8.8.8.8'])
  })

  test.each([
    'http://127.0.0.1:1/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://localhost:1/',
    'http://0.0.0.0/',
    'http://169.254.169.254/latest/meta-data/',
    'http://[fd00:ec2::254]/',
  ])('%s is not asked', async (url) => {
    expect(await failureOf(createGuardedFetch()(url))).toMatchObject({ code: 'address_refused' })
  })

  test.each([
    'file:///etc/passwd',
    'gopher://registry.test/',
    'registry.test',
    'https://u:p@a.test/',
  ])('%s is no address', async (url) => {
    expect(await failureOf(guarded(url))).toMatchObject({ code: 'invalid_input' })
  })

  test('an unknown name is told', async () => {
    const fetch = createGuardedFetch({ resolve: () => Promise.reject(new Error('ENOTFOUND')) })
    const failure = await failureOf(fetch('https://nowhere.test/secret?token=secret'))
    expect(failure).toMatchObject({ code: 'remote_unreachable', problem: 'name' })
    expect(failure.message).not.toContain('secret')
  })
})

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
    const failure = await failureOf(guarded(`https://registry.test:${port}/?sig=secret`, options))
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

describe('redirects', () => {
  const seen: (string | null)[] = []
  let port = 0
  let elsewhere = 0
  beforeAll(() => {
    elsewhere = serve((request) => {
      seen.push(request.headers.get('authorization'))
      return new Response('elsewhere')
    })
    port = serve((request) => {
      const to = new URL(request.url).searchParams.get('to') ?? ''
      return to === ''
        ? new Response('end')
        : new Response(null, { status: 307, headers: { location: to } })
    })
  })
  const follow = (to: string) =>
    followRedirects(
      guarded,
      new URL(`http://a.test:${port}/?to=${encodeURIComponent(to)}`),
      (url) => ({
        headers: url.host === `a.test:${port}` ? { authorization: 'Basic secret' } : {},
      }),
    )

  test('are answers, unless one follows them', async () => {
    const response = await guarded(`http://a.test:${port}/?to=/x`)
    expect([response.status, response.headers.get('location')]).toEqual([307, '/x'])
    expect(await (await follow('/')).response.text()).toBe('end')
  })

  test('each hop is judged and asked with what belongs there', async () => {
    const { response, url } = await follow(`http://b.test:${elsewhere}/`)
    expect([await response.text(), url.hostname, seen]).toEqual(['elsewhere', 'b.test', [null]])
    const strict = createGuardedFetch({
      allowedNetworks: ['127.0.0.1/32'],
      resolve: async (name) => [name === 'a.test' ? '127.0.0.1' : '127.0.0.9'],
    })
    for (const to of ['http://b.test/', 'http://169.254.169.254/', 'http://[::1]/']) {
      const start = new URL(`http://a.test:${port}/?to=${encodeURIComponent(to)}`)
      const failure = await failureOf(followRedirects(strict, start, () => ({})))
      expect(failure).toMatchObject({ code: 'address_refused' })
    }
  })

  test('end after five, and never lead from https to http', async () => {
    const circle = serve(() => new Response(null, { status: 302, headers: { location: '/' } }))
    const start = new URL(`http://a.test:${circle}/`)
    const failure = await failureOf(followRedirects(guarded, start, () => ({})))
    expect(failure).toMatchObject({ problem: 'redirect' })
    const location = `http://a.test:${port}/`
    const down = serve(
      () => new Response(null, { status: 302, headers: { location } }),
      certificate,
    )
    const secure = new URL(`https://registry.test:${down}/`)
    const options = { caCertificate: certificate.cert }
    const downgrade = await failureOf(followRedirects(guarded, secure, () => options))
    expect(downgrade).toMatchObject({ problem: 'redirect' })
  })
})

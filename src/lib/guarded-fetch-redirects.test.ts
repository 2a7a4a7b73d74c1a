import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createGuardedFetch } from './guarded-fetch.ts'
import { followRedirects } from './guarded-fetch-redirects.ts'
import { createSelfSigned } from './self-signed.ts'
import { failureOf } from './test-failure.ts'

const certificate = createSelfSigned({ names: ['registry.test'], now: Date.now(), days: 10 })

/** Every name is this machine. */
const guarded = createGuardedFetch({
  allowedNetworks: ['127.0.0.0/8'],
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

import { expect, test } from 'bun:test'
import type { ConsoleAssets } from '../../console/assets.ts'
import { isConsolePath } from '../../console/paths.ts'
import type { RequestContext } from '../context.ts'
import { createConsoleFace } from './face.ts'

const ASSETS: ConsoleAssets = {
  index: { entry: 'main-1.js', preload: ['part-2.js'], styles: ['main-3.css'], icon: 'icon-4.svg' },
  find: (name) =>
    name === 'main-1.js'
      ? {
          contentType: 'text/javascript; charset=utf-8',
          identity: new Blob(['plain']),
          gzip: new Blob(['gzipped']),
          br: new Blob(['br']),
        }
      : undefined,
}

async function ask(
  path: string,
  headers: Record<string, string> = {},
  { method = 'GET', assets = ASSETS as ConsoleAssets | null } = {},
) {
  const face = createConsoleFace({
    open: async () => assets ?? undefined,
    hint: 'this is a registry',
  })
  const context = {
    request: new Request(`http://localhost${path}`, { method, headers }),
    method,
    path,
    route: '',
  } as RequestContext
  const answer = await face.handle(context)
  return { status: answer.status, headers: answer.headers, text: await answer.text() }
}

/** What the page may do, but for the word that is new each time. */
const withoutNonce = (headers: Headers) =>
  headers.get('content-security-policy')?.replaceAll(/'nonce-[^']+'/g, 'nonce')

const html = { accept: 'text/html,*/*' }

test('every address of the console answers with the one page', async () => {
  for (const path of ['/', '/projects', '/projects/a/repositories/b%2Fc', '/sign-in']) {
    expect(isConsolePath(path)).toBe(true)
    const { status, headers, text } = await ask(path, html)
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    expect(text).toContain('src="/assets/main-1.js"')
    expect(text).toContain('href="/assets/part-2.js"')
    expect(text).toContain('href="/assets/main-3.css"')
  }
  for (const path of ['/v2/', '/token', '/api/v1/me', '/healthz', '/favicon.ico', '/nothing']) {
    expect(isConsolePath(path)).toBe(false)
  }
})

test('only what the page names may run, and nobody may frame it', async () => {
  const [first, second] = [await ask('/', html), await ask('/', html)]
  const policy = first.headers.get('content-security-policy') ?? ''
  const nonce = /script-src 'nonce-([\w-]{43})' 'strict-dynamic'/.exec(policy)?.[1] ?? 'none'
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain(`style-src 'nonce-${nonce}'`)
  expect(policy).toContain("frame-ancestors 'none'")
  expect(policy).not.toContain('unsafe')
  const scripts = [
    ...first.text.matchAll(/<(?:script|style|link rel="(?:stylesheet|module))[^>]*>/g),
  ]
  expect(scripts).toHaveLength(3)
  for (const [tag] of scripts) expect(tag).toContain(`nonce="${nonce}"`)
  expect(first.text).not.toMatch(/<script[^>]*>[^<]|\son\w+=|style="/)
  expect(second.headers.get('content-security-policy')).not.toBe(policy)
  expect(first.headers.get('cache-control')).toBe('no-store')
  expect(first.headers.get('x-content-type-options')).toBe('nosniff')
})

test('programs are told what this is', async () => {
  const { text, headers } = await ask('/', { accept: '*/*' })
  expect(text).toBe('this is a registry\n')
  expect(headers.get('content-type')).toStartWith('text/plain')
})

test('browsers get the page at addresses that nothing has, programs a word', async () => {
  const found = await ask('/', html)
  for (const path of ['/nowhere', '/nowhere/at/all', '/v2x', '/projectsx']) {
    const { status, headers, text } = await ask(path, html)
    expect([path, status, headers.get('cache-control')]).toEqual([path, 404, 'no-store'])
    expect(text).toContain('src="/assets/main-1.js"')
    expect([...headers.keys()]).toEqual([...found.headers.keys()])
    expect(withoutNonce(headers)).toBe(withoutNonce(found.headers))
    const head = await ask(path, html, { method: 'HEAD' })
    expect([head.status, head.text]).toEqual([404, ''])
  }
  for (const [path, headers, method] of [
    ['/nowhere', {}, 'GET'],
    ['/nowhere', { accept: '*/*' }, 'GET'],
    ['/nowhere', { accept: 'application/json' }, 'GET'],
    ['/nowhere', html, 'POST'],
    ['/nowhere', html, 'OPTIONS'],
    ['/api', html, 'GET'],
    ['/api/v2/me', html, 'GET'],
    ['/v1/search', html, 'GET'],
    ['/charts', html, 'GET'],
    ['/.well-known/change-password', html, 'GET'],
  ] as const) {
    const { status, text } = await ask(path, headers, { method })
    expect([path, method, status, text]).toEqual([path, method, 404, 'not found\n'])
  }
})

test('files go out compressed as far as the browser takes it, for ever', async () => {
  for (const [accepted, encoding, body] of [
    ['gzip, deflate, br', 'br', 'br'],
    ['gzip', 'gzip', 'gzipped'],
    ['br;q=0, gzip;q=0.5', 'gzip', 'gzipped'],
    ['identity', null, 'plain'],
    ['', null, 'plain'],
  ] as const) {
    const { status, headers, text } = await ask('/assets/main-1.js', {
      'accept-encoding': accepted,
    })
    expect([status, headers.get('content-encoding'), text]).toEqual([200, encoding, body])
    expect(headers.get('content-length')).toBe(String(body.length))
    expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(headers.get('vary')).toBe('accept-encoding')
    const again = await ask('/assets/main-1.js', {
      'accept-encoding': accepted,
      'if-none-match': `"x", ${headers.get('etag')}`,
    })
    expect([again.status, again.text]).toEqual([304, ''])
  }
})

test('what is not there is not the page', async () => {
  for (const path of ['/assets/none.js', '/assets/', '/assets/../main-1.js', '/assets/a/b.js']) {
    const { status, headers } = await ask(path, html)
    expect([path, status]).toEqual([path, 404])
    expect(headers.get('content-type')).toStartWith('text/plain')
  }
  expect((await ask('/', html, { method: 'POST' })).status).toBe(405)
  const head = await ask('/', html, { method: 'HEAD' })
  expect([head.status, head.text]).toEqual([200, ''])
})

test('while the console is built the page says so, and comes back by itself', async () => {
  const { status, text, headers } = await ask('/', html, { assets: null })
  expect(status).toBe(503)
  expect(headers.get('retry-after')).toBe('2')
  expect(text).toContain('http-equiv="refresh"')
})

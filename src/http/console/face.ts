import type { ConsoleAsset, ConsoleAssets } from '../../console/assets.ts'
import { isConsolePath, isProgramPath } from '../../console/paths.ts'
import { newSecret } from '../../lib/ids.ts'
import type { Face, RequestContext } from '../context.ts'
import { notFound } from '../not-found.ts'
import { renderIndex, waitingPage } from './page.ts'

/*
 * Serves the console: one page for all of its addresses, and for those that nothing has; and files
 * whose names carry a hash of their content, compressed when they were built.
 */

const YEAR = 'public, max-age=31536000, immutable'

const COMMON = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}

export interface ConsoleFaceDeps {
  /** Looks again with each call until there is one; undefined: it is still being built. */
  open(): Promise<ConsoleAssets | undefined>
  /** What a program is told that asks for `/` and takes no page. */
  hint: string
}

export function createConsoleFace({ open, hint }: ConsoleFaceDeps): Face {
  let current: ConsoleAssets | undefined

  /** @param status of the page, which itself finds out what it is about */
  async function page(context: RequestContext, status: 200 | 404): Promise<Response> {
    current = (await open()) ?? current
    const nonce = newSecret()
    const html = current ? renderIndex(current.index, nonce) : waitingPage(nonce)
    return new Response(context.method === 'HEAD' ? null : html, {
      status: current ? status : 503,
      headers: {
        ...COMMON,
        'content-type': 'text/html; charset=utf-8',
        'content-length': String(Buffer.byteLength(html)),
        // The nonce in it is for this answer only.
        'cache-control': 'no-store',
        'content-security-policy': policyFor(nonce),
        'x-frame-options': 'DENY',
        'cross-origin-opener-policy': 'same-origin',
        'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=()',
        ...(current ? {} : { 'retry-after': '2' }),
      },
    })
  }

  async function file(context: RequestContext, name: string): Promise<Response> {
    // A build that is newer than what this process has seen may be what the page is from.
    const asset = current?.find(name) ?? (await reopened())?.find(name)
    if (!asset) return plain(404, 'there is no such file; load the page again')
    const { body, encoding } = formFor(context, asset)
    const etag = `"${name}${encoding ? `.${encoding}` : ''}"`
    const headers: Record<string, string> = {
      ...COMMON,
      etag,
      'cache-control': YEAR,
      vary: 'accept-encoding',
      // Bun would add one with the name of the file.
      'content-disposition': 'inline',
    }
    if (hasSeen(context, etag)) return new Response(null, { status: 304, headers })
    headers['content-type'] = asset.contentType
    headers['content-length'] = String(body.size)
    if (encoding) headers['content-encoding'] = encoding
    return new Response(context.method === 'HEAD' ? null : body, { headers })
  }

  async function reopened() {
    current = (await open()) ?? current
    return current
  }

  return {
    async handle(context) {
      const { path } = context
      const isRead = context.method === 'GET' || context.method === 'HEAD'
      if (!isConsolePath(path)) {
        // Programs get what is short and plain.
        const isForPeople = isRead && takesPages(context) && !isProgramPath(path)
        return isForPeople ? page(context, 404) : notFound()
      }
      context.route = 'console'
      if (!isRead) {
        return plain(405, 'only GET is possible here', { allow: 'GET, HEAD' })
      }
      const name = /^\/assets\/([\w.-]+)$/.exec(path)?.[1]
      if (name !== undefined) {
        context.route = 'console.asset'
        return file(context, name)
      }
      if (path.startsWith('/assets/')) return plain(404, 'not found')
      return path === '/' && !takesPages(context) ? plain(200, hint) : page(context, 200)
    },
    renderError: () => plain(503, 'the console is not available'),
  }
}

/**
 * Only what the page itself names runs: scripts by the nonce and what they load, styles by the
 * nonce (the components write theirs at run time). Blobs of the registry have our origin too, so
 * the origin alone would let an image bring scripts.
 */
function policyFor(nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}' 'strict-dynamic'`,
    `style-src 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

function takesPages({ request }: RequestContext): boolean {
  return (request.headers.get('accept') ?? '').includes('text/html')
}

function hasSeen({ request }: RequestContext, etag: string): boolean {
  const seen = request.headers.get('if-none-match') ?? ''
  return seen.split(',').some((one) => one.trim().replace(/^W\//, '') === etag)
}

function formFor({ request }: RequestContext, asset: ConsoleAsset) {
  const accepted = new Set(
    (request.headers.get('accept-encoding') ?? '')
      .split(',')
      .map((one) =>
        one
          .trim()
          .toLowerCase()
          .split(/\s*;\s*/),
      )
      .filter(([, quality]) => !/^q=0(\.0*)?$/.test(quality ?? ''))
      .map(([encoding]) => encoding),
  )
  if (asset.br && accepted.has('br')) return { body: asset.br, encoding: 'br' }
  if (asset.gzip && accepted.has('gzip')) return { body: asset.gzip, encoding: 'gzip' }
  return { body: asset.identity, encoding: undefined }
}

function plain(status: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(`${text}\n`, {
    status,
    headers: {
      ...COMMON,
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
      ...headers,
    },
  })
}

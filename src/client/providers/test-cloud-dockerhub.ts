import { randomBytes } from 'node:crypto'
import { pageOf, type Seen, startCloud, type TestCloud } from './test-cloud.ts'

const TOKEN_LIFE_MS = 10 * 60_000

export interface HubCloud extends TestCloud {
  /** Namespace → repository → private. */
  namespaces: Map<string, Map<string, boolean>>
  throttledUntil?: number
  forgetTokens(): void
}

/** The API of hub.docker.com. */
export function startHub(options: { user: string; secret: string; now?: () => number }): HubCloud {
  const { user, secret, now = Date.now } = options
  const tokens = new Map<string, number>()
  const cloud: HubCloud = Object.assign(startCloud(answer), {
    namespaces: new Map<string, Map<string, boolean>>(),
    forgetTokens: () => tokens.clear(),
  })
  return cloud

  function answer(seen: Seen): Response {
    if (cloud.throttledUntil !== undefined && cloud.throttledUntil > now() / 1000) {
      const headers = { 'x-retry-after': `${cloud.throttledUntil}` }
      return Response.json(
        { detail: 'Rate limit exceeded', error: false },
        { status: 429, headers },
      )
    }
    if (seen.method === 'POST' && seen.path === '/v2/auth/token') {
      const { identifier, secret: given } = JSON.parse(seen.body)
      if (identifier !== user || given !== secret) {
        const detail = 'Incorrect authentication credentials'
        return Response.json({ detail, message: detail }, { status: 401 })
      }
      const access_token = `eyJ.${randomBytes(24).toString('base64url')}.x`
      tokens.set(access_token, now() + TOKEN_LIFE_MS)
      return Response.json({ access_token })
    }
    const name = /^\/v2\/namespaces\/([^/]+)\/repositories$/.exec(seen.path)?.[1]
    const namespace = cloud.namespaces.get(decodeURIComponent(name ?? ''))
    if (seen.method !== 'GET' || name === undefined || !namespace) {
      return Response.json({ message: 'object not found', errinfo: {} }, { status: 404 })
    }
    const authorization = seen.headers.get('authorization')
    const token = authorization?.replace(/^Bearer /, '') ?? ''
    const isKnown = (tokens.get(token) ?? 0) > now()
    if (authorization !== null && !isKnown) {
      return Response.json({ detail: 'Token expired', message: 'Token expired' }, { status: 401 })
    }
    const [page, size] = ['page', 'page_size'].map((key) => Number(seen.query.get(key)))
    const visible = [...namespace].filter(([, isPrivate]) => isKnown || !isPrivate)
    const results = pageOf(visible, page ?? 1, Math.min(size ?? 10, 100))
    const hasMore = (page ?? 1) * (size ?? 10) < visible.length
    return Response.json({
      count: visible.length,
      next: hasMore ? `https://hub.docker.com/v2/namespaces/${name}/repositories?page=9` : null,
      results: results.map(([repository]) => ({ name: repository, namespace: name })),
    })
  }
}

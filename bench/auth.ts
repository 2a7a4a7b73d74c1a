import { connect, type Endpoint, requestHead } from './http.ts'
import { headerOf } from './reply-parser.ts'

/** How a server wants to be asked, as `GET /v2/` without credentials tells every client. */
export type Challenge =
  | { scheme: 'none' }
  | { scheme: 'basic' }
  | { scheme: 'bearer'; realm: string; service: string | null }

export async function discoverChallenge(endpoint: Endpoint): Promise<Challenge> {
  const connection = await connect(endpoint)
  try {
    const pieces = [requestHead(endpoint, 'GET', '/v2/', [])]
    try {
      await connection.exchange({ pieces, status: 200 })
      return { scheme: 'none' }
    } catch {
      const reply = await connection.exchange({ pieces, status: 401 })
      return parseChallenge(headerOf(reply.head, 'www-authenticate'))
    }
  } finally {
    connection.close()
  }
}

export function parseChallenge(header: string | null): Challenge {
  if (header !== null && /^basic\b/i.test(header)) return { scheme: 'basic' }
  const realm = header === null ? null : parameterOf(header, 'realm')
  if (header === null || realm === null || !/^bearer\b/i.test(header)) {
    throw new Error(`a 401 without a challenge that can be followed: ${header ?? 'none'}`)
  }
  return { scheme: 'bearer', realm, service: parameterOf(header, 'service') }
}

function parameterOf(header: string, name: string): string | null {
  return new RegExp(`${name}="([^"]*)"`).exec(header)?.[1] ?? null
}

/** Header lines that authorise requests of `scope`; a bearer token is fetched once per call. */
export async function authorizationLines(
  endpoint: Endpoint,
  challenge: Challenge,
  scope: string,
): Promise<string[]> {
  if (challenge.scheme === 'none') return []
  if (challenge.scheme === 'basic') return [basicLine(endpoint)]
  const url = new URL(tokenPath(challenge, scope), challenge.realm)
  const response = await fetch(url, {
    headers: { authorization: basicLine(endpoint).slice('Authorization: '.length) },
    signal: AbortSignal.timeout(10_000),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`no token for ${scope}: ${response.status} ${text}`)
  const token = (JSON.parse(text) as { token?: string }).token
  if (token === undefined) throw new Error(`an answer without a token for ${scope}: ${text}`)
  return [`Authorization: Bearer ${token}`]
}

export function basicLine(endpoint: Endpoint): string {
  const pair = `${endpoint.user ?? ''}:${endpoint.password ?? ''}`
  return `Authorization: Basic ${Buffer.from(pair).toString('base64')}`
}

/** Path and query of a token request, relative to the realm's origin. */
export function tokenPath(challenge: Challenge & { scheme: 'bearer' }, scope: string): string {
  const url = new URL(challenge.realm)
  if (challenge.service !== null) url.searchParams.set('service', challenge.service)
  url.searchParams.set('scope', scope)
  return url.pathname + url.search
}

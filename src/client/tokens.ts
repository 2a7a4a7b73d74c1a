import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import type { GuardedFetch, GuardedRequest } from '../lib/guarded-fetch.ts'
import { readJson } from '../lib/guarded-fetch-body.ts'
import { because } from '../lib/reasons.ts'
import type { Challenge } from './challenge.ts'
import type { Token } from './client-memory.ts'
import type { Login } from './provider.ts'
import { confidential, remoteFault, toRemoteError } from './remote-error.ts'
import { isTrustedRealm } from './trusted-realm.ts'

/** distribution's token specification: the life of a token that does not say it. */
const LEAST_LIFE_S = 60
const MARGIN_S = 30
const CLIENT_ID = 'entrepot'

interface TokenRequest {
  registry: URL
  challenge: Challenge
  login: Login | undefined
  /** Sorted. */
  scopes: readonly string[]
  trustedRealms: readonly string[]
}

/**
 * Asks a registry's token server. By GET, which every one of them answers; by POST with a refresh
 * token, and where GET is not offered.
 *
 * @throws AppError `remote_denied` when the login is refused or must not be sent there
 */
export async function requestToken(
  fetch: GuardedFetch,
  clock: Clock,
  request: TokenRequest,
): Promise<{ value: Token; until: number }> {
  const realm = realmOf(request)
  const { login } = request
  const ask = (url: URL, options: GuardedRequest) =>
    fetch(url.href, { ...options, limits: { answer: 30_000, total: 60_000 } })

  let response = login?.refreshToken
    ? await ask(realm, toPost(request))
    : await ask(toGetUrl(realm, request), { headers: basicHeader(login) })
  if (login && !login.refreshToken && [404, 405].includes(response.status)) {
    await response.body?.cancel()
    response = await ask(realm, toPost(request))
  }
  if (response.status !== 200) {
    throw await toRemoteError(response, {
      host: realm.host,
      doing: 'give out a token',
      isAnonymous: login === undefined,
      sent: confidential(login),
      now: clock(),
    })
  }
  return readToken(await readJson(response), realm.host, clock())
}

function realmOf({ registry, challenge, login, trustedRealms }: TokenRequest): URL {
  const text = challenge.parameters.realm ?? ''
  const realm = URL.canParse(text) ? new URL(text) : undefined
  if (!realm || !['http:', 'https:'].includes(realm.protocol)) {
    throw remoteFault('realm', `${registry.host} names no valid address of its token server`)
  }
  realm.username = ''
  realm.password = ''
  // Without a login there is nothing to lose, but a token in clear text.
  const isDowngrade = registry.protocol === 'https:' && realm.protocol === 'http:'
  if (!isDowngrade && (!login || isTrustedRealm(realm, registry, trustedRealms))) return realm
  const why = isDowngrade ? 'over plain http' : `and nothing shows that ${realm.host} belongs to it`
  throw new AppError(
    'remote_denied',
    `${registry.host} wants the login sent to ${realm.host}, ${why}; it was not sent`,
    { problem: 'realm', registry: registry.host, ...because('remote_other_login_server', {}) },
  )
}

function toGetUrl(realm: URL, { challenge, login, scopes }: TokenRequest): URL {
  const url = new URL(realm)
  const { service } = challenge.parameters
  if (service) url.searchParams.set('service', service)
  for (const scope of scopes) url.searchParams.append('scope', scope)
  if (login) url.searchParams.set('account', login.username)
  url.searchParams.set('client_id', CLIENT_ID)
  return url
}

function toPost({ challenge, login, scopes }: TokenRequest): GuardedRequest {
  const form = new URLSearchParams({ client_id: CLIENT_ID, scope: scopes.join(' ') })
  if (challenge.parameters.service) form.set('service', challenge.parameters.service)
  if (login?.refreshToken) {
    form.set('grant_type', 'refresh_token')
    form.set('refresh_token', login.refreshToken)
  } else if (login) {
    form.set('grant_type', 'password')
    form.set('username', login.username)
    form.set('password', login.password)
  }
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  return { method: 'POST', headers, body: form.toString() }
}

export function basicHeader(login: Login | undefined): Record<string, string> {
  if (!login) return {}
  const pair = Buffer.from(`${login.username}:${login.password}`).toString('base64')
  return { authorization: `Basic ${pair}` }
}

function readToken(body: unknown, host: string, now: number): { value: Token; until: number } {
  const fields = typeof body === 'object' && body !== null ? body : {}
  const { token, access_token, expires_in } = fields as Record<string, unknown>
  const text = [access_token, token].find((value) => typeof value === 'string' && value !== '')
  // Whatever is not printable ASCII would break the header.
  if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text)) {
    throw remoteFault('answer', `${host} answered without a token`)
  }
  const given = Number(expires_in)
  const life = Number.isFinite(given) ? Math.max(LEAST_LIFE_S, given) : LEAST_LIFE_S
  return { value: { text }, until: now + (life - MARGIN_S) * 1000 }
}

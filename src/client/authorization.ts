import type { Clock } from '../lib/clock.ts'
import { type AppError, isAppError } from '../lib/errors.ts'
import type { GuardedFetch } from '../lib/guarded-fetch.ts'
import { isRedirect } from '../lib/guarded-fetch-redirects.ts'
import { type Challenge, chooseChallenge, parseChallenges } from './challenge.ts'
import type { ClientMemory, Token } from './client-memory.ts'
import type { Endpoint, Login, Provider, ProviderContext } from './provider.ts'
import { remoteFault, toRemoteError } from './remote-error.ts'
import { scopeKey, uniteScopes } from './scopes.ts'
import { basicHeader, requestToken } from './tokens.ts'

/** What goes into the headers of a request, and what to forget when it is refused. */
export interface Grant {
  headers: Record<string, string>
  /** As whom; undefined: anonymous. */
  login: Login | undefined
  scopes: readonly string[]
  token: { key: string; value: Token } | undefined
}

export interface Ping {
  status: number
  /** Every challenge of the registry; none: it wants no login. */
  challenges: Challenge[]
  headers: Headers
}

export type Authorization = ReturnType<typeof createAuthorization>

const CHALLENGE_MS = 3_600_000
const LOGIN_MARGIN_MS = 300_000
const MOST_WIDENED = 10_000

/** Logs in to one registry: finds out how, gets logins and tokens, and keeps them. */
export function createAuthorization({
  base,
  key,
  endpoint,
  provider,
  context,
  fetch,
  memory,
  clock,
}: {
  base: URL
  /** Of the endpoint with its credential, for what is kept. */
  key: string
  endpoint: Endpoint
  provider: Provider
  context: ProviderContext
  fetch: GuardedFetch
  memory: ClientMemory
  clock: Clock
}) {
  const { challenges, logins, tokens, widened } = memory

  /** `GET /v2/` without a login. */
  async function ping(signal?: AbortSignal): Promise<Ping> {
    const url = `${base.href}v2/`
    const response = await fetch(url, { signal, limits: { answer: 30_000 } })
    const { status, headers } = response
    if (status === 200 || status === 401) {
      await response.body?.cancel()
      const header = status === 401 ? headers.get('www-authenticate') : null
      return { status, headers, challenges: parseChallenges(header) }
    }
    if (isRedirect(response)) throw await redirectFault(response, url)
    throw await toRemoteError(response, {
      host: base.host,
      doing: 'speak the registry protocol at /v2/',
      isAnonymous: true,
      now: clock(),
    })
  }

  async function redirectFault(response: Response, url: string): Promise<AppError> {
    await response.body?.cancel()
    const location = response.headers.get('location') ?? ''
    const to = URL.canParse(location, url) ? new URL(location, url).origin : 'nowhere'
    return remoteFault(
      'redirect',
      `${base.host} redirects to ${to}; if the registry is there, make that its address`,
    )
  }

  function challengeOf(): Promise<Challenge | undefined> {
    return challenges.get(key, async () => {
      const found = await ping()
      const value = chooseChallenge(found.challenges)
      return { value, until: clock() + CHALLENGE_MS }
    })
  }

  function loginOf(): Promise<Login | undefined> {
    return logins.get(key, async () => {
      const value = await provider.login(context)
      const end = value?.expiresAt ?? Number.POSITIVE_INFINITY
      // A short life is not eaten up by the margin.
      const margin = Math.min(LOGIN_MARGIN_MS, Math.max(0, end - clock()) / 10)
      return { value, until: end - margin }
    })
  }

  async function grant(wanted: readonly string[]): Promise<Grant> {
    const challenge = await challengeOf()
    const login = await loginOf()
    const scopes = uniteScopes(wanted, widened.get(`${key} ${scopeKey(wanted)}`) ?? [])
    if (challenge?.scheme !== 'bearer') {
      // Also where the ping wants nothing: a stranger may see less than this account.
      return { headers: basicHeader(login), login, scopes: wanted, token: undefined }
    }
    const tokenKey = [key, challenge.parameters.realm, challenge.parameters.service, ...scopes]
    const kept = tokenKey.join('\n')
    const value = await tokens.get(kept, () => tokenFor(challenge, login, scopes))
    const headers = { authorization: `Bearer ${value.text}` }
    return { headers, login, scopes: wanted, token: { key: kept, value } }
  }

  async function tokenFor(challenge: Challenge, login: Login | undefined, scopes: string[]) {
    const trustedRealms = endpoint.trustedRealms ?? []
    const request = { registry: base, challenge, scopes, trustedRealms }
    try {
      return await requestToken(fetch, clock, { ...request, login })
    } catch (error) {
      if (!isAppError(error, 'remote_denied') || error.details.problem === 'realm') throw error
      const renewed = await renewedLogin(login)
      if (!renewed) throw error
      return await requestToken(fetch, clock, { ...request, login: renewed })
    }
  }

  /** Another login than the one that was refused, if the provider has one. */
  async function renewedLogin(refused: Login | undefined): Promise<Login | undefined> {
    if (!refused) return undefined
    await logins.drop(key, refused)
    const next = await loginOf()
    // The same words again would only bring an account nearer to being locked.
    const isSame = next?.username === refused.username && next.password === refused.password
    return isSame ? undefined : next
  }

  return {
    ping,
    /** @throws AppError `remote_denied` when the login is refused */
    grant,
    loginOf,

    /**
     * After a 401: learns from it, and says whether another try makes sense.
     * @param refused what was sent
     */
    async learn(refused: Grant, response: Response): Promise<boolean> {
      const said = chooseChallenge(parseChallenges(response.headers.get('www-authenticate')))
      if (refused.token) await tokens.drop(refused.token.key, refused.token.value)
      if (said && (await isNews(said))) {
        const known = await challengeOf()
        await challenges.drop(key, known)
        await challenges.get(key, async () => ({
          value: said,
          until: clock() + CHALLENGE_MS,
        }))
        return true
      }
      if (said?.scheme === 'bearer') {
        const asked = (said.parameters.scope ?? '').split(' ').filter((scope) => scope !== '')
        if (widened.size >= MOST_WIDENED) widened.clear()
        widened.set(`${key} ${scopeKey(refused.scopes)}`, asked)
        return true
      }
      return (await renewedLogin(refused.login)) !== undefined
    },
  }

  async function isNews(said: Challenge): Promise<boolean> {
    const known = await challengeOf()
    // Without a challenge the login was sent already.
    if (known === undefined) return said.scheme === 'bearer'
    if (known.scheme !== said.scheme) return true
    if (said.scheme !== 'bearer') return false
    return (
      known.parameters.realm !== said.parameters.realm ||
      known.parameters.service !== said.parameters.service
    )
  }
}

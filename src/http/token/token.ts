import type { Authenticator } from '../../accounts/authenticate.ts'
import { anonymous, type GrantedScope, type Principal } from '../../accounts/principal.ts'
import type { RefreshTokens } from '../../accounts/refresh-tokens.ts'
import type { RegistryTokens } from '../../accounts/registry-tokens.ts'
import { unlessFull } from '../../accounts/unless-full.ts'
import { AppError } from '../../lib/errors.ts'
import { errorResponse } from './errors.ts'
import { readForm } from './form.ts'
import type { Grant } from './grants.ts'
import { formatScopes, parseScopes, type RequestedScope } from './scope.ts'

interface RequestInfo {
  /** Of the client, behind trusted proxies too. */
  address: string
  /** As the challenge named it. */
  service: string
}

/** Answers with a token, or with an OCI error; fails only where the program is wrong. */
export type TokenEndpoint = (request: Request, info: RequestInfo) => Promise<Response>

interface Asked {
  principal: Principal
  scopes: RequestedScope[]
  /** A refresh token is wanted. */
  offline: boolean
  /** Shown by the caller; it stays the same. */
  refreshToken?: string
}

/**
 * The token endpoint: GET (Docker registry v2 token authentication) and POST (its OAuth2 form).
 * Grants what was asked and is allowed; the rest is left out and is no error.
 */
export function createTokenEndpoint(deps: {
  authenticator: Authenticator
  registryTokens: RegistryTokens
  refreshTokens: RefreshTokens
  grant: Grant
}): TokenEndpoint {
  const { authenticator, registryTokens, refreshTokens, grant } = deps

  async function readGet(request: Request, info: RequestInfo): Promise<Asked> {
    // Without a usable Host the URL is a bare path.
    const query = new URL(request.url, 'http://localhost').searchParams
    const scopes = query.getAll('scope')
    const principal = await authenticator.authenticate(
      request.headers.get('authorization'),
      info.address,
      info.service,
    )
    // A token must not be the way to a wider or longer one (Gitea, CVE-2025-68944).
    if (principal.scope) {
      throw new AppError('unauthenticated', 'a registry token cannot be exchanged for another one')
    }
    // Nobody asked for nothing. Pulls name a scope; the conformance program sends an empty login.
    const named = request.headers.has('authorization')
    if (principal.kind === 'anonymous' && scopes.length === 0 && !named) throw signIn()
    return {
      principal,
      scopes: parseScopes(scopes),
      offline: query.get('offline_token') === 'true',
    }
  }

  async function readPost(request: Request, info: RequestInfo): Promise<Asked> {
    const form = await readForm(request)
    const asked = {
      scopes: parseScopes(form.getAll('scope')),
      offline: form.get('access_type') === 'offline',
    }
    switch (form.get('grant_type')) {
      case 'password': {
        const name = form.get('username') ?? ''
        const password = form.get('password') ?? ''
        if (name === '' && password === '') {
          if (asked.scopes.length === 0) throw signIn()
          return { ...asked, principal: anonymous }
        }
        return { ...asked, principal: await authenticator.signIn(name, password, info.address) }
      }
      case 'refresh_token': {
        const refreshToken = form.get('refresh_token') ?? ''
        const principal = await refreshTokens.use(refreshToken, info.service)
        return { ...asked, principal, refreshToken }
      }
      default:
        throw new AppError('invalid_input', 'grant_type must be "password" or "refresh_token"', {
          field: 'grant_type',
        })
    }
  }

  async function answer(request: Request, info: RequestInfo): Promise<Response> {
    const post = request.method === 'POST'
    if (!post && request.method !== 'GET') {
      throw new AppError('method_unsupported', 'a token is asked for with GET or POST', {
        headers: { allow: 'GET, POST' },
      })
    }
    const asked = post ? await readPost(request, info) : await readGet(request, info)
    const { principal } = asked
    const access: GrantedScope[] = []
    const granted: RequestedScope[] = []
    for (const scope of asked.scopes) {
      const given = await grant(principal, scope)
      if (!given) continue
      access.push(given)
      granted.push({ ...scope, actions: given.actions })
    }
    const { token, expiresIn, issuedAt } = await registryTokens.issue(
      principal,
      access,
      info.service,
    )
    const refreshToken = asked.offline
      ? (asked.refreshToken ??
        // Without it the client keeps the password instead, and can pull from a full disk.
        (await unlessFull(() => refreshTokens.issue(principal, info.service))))
      : undefined
    const body = {
      token,
      access_token: token,
      expires_in: expiresIn,
      issued_at: new Date(issuedAt).toISOString(),
      ...(post ? { token_type: 'Bearer', scope: formatScopes(granted) } : {}),
      ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
    }
    return new Response(JSON.stringify(body), {
      headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    })
  }

  return async (request, info) => {
    try {
      return await answer(request, info)
    } catch (error) {
      if (error instanceof AppError && error.code !== 'internal') {
        return errorResponse(error, info.service)
      }
      throw error
    }
  }
}

function signIn(): AppError {
  return new AppError(
    'unauthenticated',
    'sign in with your name and password, or name the scope of an anonymous token',
  )
}

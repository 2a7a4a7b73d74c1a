import type { Accounts } from '../../accounts/accounts.ts'
import { API_TOKEN_PREFIX } from '../../accounts/api-tokens.ts'
import type { Principal } from '../../accounts/principal.ts'
import { PROJECT_TOKEN_PREFIX } from '../../accounts/project-tokens.ts'
import { AppError } from '../../lib/errors.ts'
import { isSignatureScheme } from '../../lib/huawei-signature.ts'
import type { RequestContext } from '../context.ts'

/** Longest token that the vendor documents. */
const MAX_TOKEN_LENGTH = 32_768

/** Who asks, and the project that the token is for; null: for any. */
export interface Identified {
  principal: Principal
  tokenProject: number | null
}

/**
 * By `X-Auth-Token` (a token of a project, or an API token), by a signature, or by an
 * `Authorization` as every face takes it; never anonymous.
 */
export function createIdentify(accounts: Accounts) {
  const { authenticator, projectTokens, signedRequests } = accounts

  async function byToken(token: string, address: string): Promise<Identified> {
    if (token.length > MAX_TOKEN_LENGTH) {
      throw new AppError(
        'unauthenticated',
        `X-Auth-Token may have at most ${MAX_TOKEN_LENGTH} characters`,
      )
    }
    if (token.startsWith(PROJECT_TOKEN_PREFIX)) {
      const { principal, project } = await projectTokens.use(token)
      return { principal, tokenProject: project }
    }
    if (token.startsWith(API_TOKEN_PREFIX)) {
      const principal = await authenticator.authenticateApi(`Bearer ${token}`, address)
      return { principal, tokenProject: null }
    }
    throw new AppError('unauthenticated', 'the token is unknown, expired or revoked; get a new one')
  }

  /** @throws AppError unauthenticated, rate_limited */
  return async (context: RequestContext, body: Uint8Array): Promise<Identified> => {
    const { request, method, path, query, address } = context
    const { headers } = request
    const authorization = headers.get('authorization')
    if (authorization !== null && isSignatureScheme(authorization)) {
      const principal = await signedRequests.verify({
        method,
        path,
        query,
        header: (name) => headers.get(name),
        hosts: hostsOf(context),
        body,
        address,
      })
      return { principal, tokenProject: null }
    }
    const token = headers.get('x-auth-token')
    if (token !== null) return byToken(token, address)
    const principal = await authenticator.authenticateApi(authorization, address)
    if (principal.kind === 'anonymous') {
      throw new AppError(
        'unauthenticated',
        'send X-Auth-Token, or sign the request with an access key',
      )
    }
    return { principal, tokenProject: null }
  }
}

/** As the client may have called us: by the public address, or by the name that the request came to. */
function hostsOf({ origin, host }: RequestContext): string[] {
  return [...new Set([new URL(origin).host, host])]
}

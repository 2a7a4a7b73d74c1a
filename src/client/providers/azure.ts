import { z } from 'zod'
import type { Provider } from '../provider.ts'
import { type ApiCall, callJson, parseJson } from './api-call.ts'
import { cloudAddress, hostOf, storedLogin } from './endpoint.ts'

/** The user that stands for "the password is a token". */
const TOKEN_USER = '00000000-0000-0000-0000-000000000000'

const RefreshToken = z.object({ refresh_token: z.string().min(1) })
const Claims = z.object({ aud: z.unknown(), exp: z.number(), tid: z.string().optional() })

/**
 * Azure Container Registry: the admin user, a token of a scope map or a service principal are plain
 * logins; a token of Entra ID is exchanged for one of the registry, which lives for three hours.
 */
export const azure: Provider = {
  name: 'azure',
  limits: { concurrency: 8, pageSize: 1000 },
  registryUrl: cloudAddress,

  async login(context) {
    const stored = storedLogin(context.endpoint)
    if (stored?.username !== TOKEN_USER) return stored
    const service = hostOf(context.endpoint)
    const claims = claimsOf(stored.password)
    // Already one of the registry.
    if (!claims || claims.aud === service) {
      return {
        ...stored,
        refreshToken: stored.password,
        ...(claims ? { expiresAt: claims.exp * 1000 } : {}),
      }
    }
    const call: ApiCall = {
      registry: `Azure Container Registry at ${service}`,
      purpose: 'log in',
      url: `${context.apiUrl?.('registry') ?? cloudAddress(context.endpoint)}/oauth2/exchange`,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `${new URLSearchParams({
        grant_type: 'access_token',
        service,
        ...(claims.tid === undefined ? {} : { tenant: claims.tid }),
        access_token: stored.password,
      })}`,
      advice:
        'tokens of Entra ID end after about an hour: store a service principal or a registry token instead, and check its role AcrPull or AcrPush',
    }
    const { value } = await callJson(context, call, RefreshToken)
    const expiry = claimsOf(value.refresh_token)?.exp
    return {
      username: TOKEN_USER,
      password: value.refresh_token,
      refreshToken: value.refresh_token,
      ...(expiry === undefined ? {} : { expiresAt: expiry * 1000 }),
    }
  },
}

/** Read only, to know whose token it is; the registry is who verifies it. */
function claimsOf(token: string): z.infer<typeof Claims> | undefined {
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')
  return Claims.safeParse(parseJson(payload)).data
}

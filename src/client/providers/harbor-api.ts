import type { ProviderContext } from '../provider.ts'
import type { ApiCall } from './api-call.ts'
import { basicAuthorization, hostOf, ownAddress, storedLogin } from './endpoint.ts'

/** The most that any of its APIs gives out at once. */
export const PAGE_SIZE = 100

/** A call of API v2.0, or of that of Harbor 1 (`/api`). */
export function callOf(
  { endpoint }: ProviderContext,
  purpose: string,
  path: string,
  more: Partial<ApiCall> & { base?: '/api' | '/api/v2.0' } = {},
): ApiCall {
  const login = storedLogin(endpoint)
  const { base = '/api/v2.0', headers, ...rest } = more
  return {
    registry: `Harbor at ${hostOf(endpoint)}`,
    purpose,
    url: `${ownAddress(endpoint)}${base}${path}`,
    ...rest,
    headers: { ...headers, ...(login ? { authorization: basicAuthorization(login) } : {}) },
  }
}

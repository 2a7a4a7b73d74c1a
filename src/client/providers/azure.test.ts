import { afterEach, describe, expect, test } from 'bun:test'
import { isAppError } from '../../lib/errors.ts'
import { azure } from './azure.ts'
import { contextOf, startCloud, type TestCloud } from './test-cloud.ts'
import { failureOf } from './test-listing.ts'

const user = '00000000-0000-0000-0000-000000000000'
const host = 'team.azurecr.io'
const expiry = Math.floor(Date.now() / 1000) + 3 * 3600
let cloud: TestCloud | undefined
afterEach(() => cloud?.stop())

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const tokenOf = (claims: object) => `${part({ alg: 'RS256' })}.${part(claims)}.c2lnbmF0dXJl`
const ours = tokenOf({ aud: host, exp: expiry })
const entra = tokenOf({ aud: 'https://management.azure.com', exp: expiry, tid: 'a-tenant' })

/** `/oauth2/exchange`, which takes exactly one token of Entra ID. */
function start(): void {
  cloud = startCloud(({ method, path, body }) => {
    const form = Object.fromEntries(new URLSearchParams(body))
    const isRight =
      method === 'POST' &&
      path === '/oauth2/exchange' &&
      Bun.deepEquals(form, {
        grant_type: 'access_token',
        service: host,
        tenant: 'a-tenant',
        access_token: entra,
      })
    if (isRight) return Response.json({ refresh_token: ours })
    const errors = [{ code: 'UNAUTHORIZED', message: 'unauthorized' }]
    return Response.json({ errors }, { status: 401 })
  })
}

function login(secretKey: string) {
  return azure.login(
    contextOf(
      { provider: 'azure', address: `https://${host}`, accessKey: user, secretKey },
      { apis: { registry: cloud?.url ?? '' } },
    ),
  )
}

describe('a token as the password', () => {
  test('of Entra ID is exchanged for one of the registry', async () => {
    start()
    expect(await login(entra)).toEqual({
      username: user,
      password: ours,
      refreshToken: ours,
      expiresAt: expiry * 1000,
    })
  })

  test('of the registry is taken as it is', async () => {
    start()
    expect(await login(ours)).toEqual({
      username: user,
      password: ours,
      refreshToken: ours,
      expiresAt: expiry * 1000,
    })
    expect(cloud?.seen).toEqual([])
  })

  test('that is refused is not repeated', async () => {
    start()
    const old = tokenOf({ aud: 'https://management.azure.com', exp: expiry, tid: 'another' })
    const error = await failureOf(login(old))
    expect(isAppError(error, 'remote_denied')).toBe(true)
    expect(error.message).toContain('Azure Container Registry at team.azurecr.io')
    expect(error.message).toContain('store a service principal')
    expect(error.message).not.toContain(old)
  })
})

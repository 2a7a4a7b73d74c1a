import { createHash } from 'node:crypto'
import { errors, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { newUuid } from '../lib/ids.ts'
import type { CredentialRef, GrantedScope, Principal } from './principal.ts'
import type { SigningKeys } from './signing-keys.ts'

/** Replicas whose clocks differ by less than this accept each other's fresh tokens. */
const CLOCK_SKEW_SECONDS = 60
const MAX_REMEMBERED = 10_000
/** A token with a hundred scopes is half of this; the server's header limit is above it. */
const MAX_TOKEN_LENGTH = 60_000

/**
 * What stands in a token besides the registered claims. Names are those of the distribution token
 * specification where it has them.
 */
const Claims = z.object({
  sub: z.string(),
  exp: z.number(),
  access: z.array(
    z.object({
      type: z.enum(['repository', 'registry']),
      name: z.string(),
      actions: z.array(z.string()),
      project: z.int().optional(),
    }),
  ),
  account: z.int().nullable(),
  epoch: z.int(),
  credential: z
    .object({ kind: z.enum(['api-token', 'secret', 'runner-task']), id: z.int() })
    .optional(),
})

/** What a token says. Whether its account still stands is asked of the database. */
interface RegistryTokenClaims {
  account: number | null
  epoch: number
  credential?: CredentialRef
  access: readonly GrantedScope[]
  /** Epoch milliseconds. */
  expiresAt: number
}

interface IssuedToken {
  token: string
  /** Seconds. */
  expiresIn: number
  /** Epoch milliseconds. */
  issuedAt: number
}

export interface RegistryTokens {
  issue(
    principal: Principal,
    access: readonly GrantedScope[],
    service: string,
  ): Promise<IssuedToken>
  /** Throws `unauthenticated` unless the token is ours, for `service`, and of this time. */
  verify(token: string, service: string): Promise<RegistryTokenClaims>
}

/** The JWTs that clients show at `/v2`: ES256 only, whatever their header asks for. */
export function createRegistryTokens(deps: {
  keys: SigningKeys
  clock: Clock
  issuer: string
  lifetimeSeconds: number
}): RegistryTokens {
  const { keys, clock, issuer, lifetimeSeconds } = deps
  // A signature does not change, so it is checked once. Whether its key still counts is asked anew.
  const verified = new Map<string, { claims: RegistryTokenClaims; kid: string }>()

  function remember(hash: string, entry: { claims: RegistryTokenClaims; kid: string }): void {
    if (verified.size >= MAX_REMEMBERED) {
      const [oldest] = verified.keys()
      if (oldest !== undefined) verified.delete(oldest)
    }
    verified.set(hash, entry)
  }

  return {
    async issue(principal, access, service) {
      if (principal.account !== null && !principal.login) {
        throw new AppError('internal', 'a token needs a proof that it can be revoked with')
      }
      const { kid, key } = await keys.active()
      const issuedAt = clock()
      const iat = Math.floor(issuedAt / 1000)
      const limit = principal.login?.expiresAt ?? Number.POSITIVE_INFINITY
      const exp = Math.min(iat + lifetimeSeconds, Math.floor(limit / 1000))
      const token = await new SignJWT({
        access,
        account: principal.account,
        epoch: principal.login?.epoch ?? 0,
        ...(principal.login?.credential ? { credential: principal.login.credential } : {}),
      })
        .setProtectedHeader({ typ: 'JWT', alg: 'ES256', kid })
        .setIssuer(issuer)
        .setAudience(service)
        .setSubject(principal.account === null ? '' : principal.name)
        .setIssuedAt(iat)
        .setNotBefore(iat - CLOCK_SKEW_SECONDS)
        .setExpirationTime(exp)
        .setJti(newUuid())
        .sign(key)
      return { token, expiresIn: exp - iat, issuedAt }
    },

    async verify(token, service) {
      if (token.length > MAX_TOKEN_LENGTH) throw invalid('it is too long')
      const hash = createHash('sha256').update(`${service}\n${token}`).digest('base64')
      const known = verified.get(hash)
      if (known) {
        if (known.claims.expiresAt > clock() && (await keys.verifier(known.kid))) {
          return known.claims
        }
        verified.delete(hash)
      }
      const { payload, kid } = await checked(token, service)
      const { access, account, epoch, credential, exp } = payload
      const claims: RegistryTokenClaims = {
        account,
        epoch,
        access: access.map(({ project, ...scope }) =>
          project === undefined ? scope : { ...scope, project },
        ),
        expiresAt: exp * 1000,
        ...(credential ? { credential } : {}),
      }
      remember(hash, { claims, kid })
      return claims
    },
  }

  async function checked(token: string, service: string) {
    let result: Awaited<ReturnType<typeof jwtVerify>>
    try {
      result = await jwtVerify(
        token,
        async ({ kid }) => {
          const key = kid === undefined ? undefined : await keys.verifier(kid)
          if (!key) throw invalid('it was signed with another key')
          return key
        },
        {
          algorithms: ['ES256'],
          issuer,
          audience: service,
          typ: 'JWT',
          requiredClaims: ['iat', 'nbf', 'exp', 'jti', 'sub'],
          currentDate: new Date(clock()),
        },
      )
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error
      throw invalid('it is malformed, expired or for another service', error)
    }
    const payload = Claims.safeParse(result.payload)
    if (!payload.success) throw invalid('it lacks claims', payload.error)
    return { payload: payload.data, kid: result.protectedHeader.kid ?? '' }
  }
}

function invalid(why: string, cause?: unknown): AppError {
  return new AppError(
    'unauthenticated',
    `the token is not valid: ${why}`,
    { error: 'invalid_token' },
    cause,
  )
}

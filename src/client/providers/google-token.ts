import { importPKCS8, SignJWT } from 'jose'
import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import type { Endpoint, ProviderContext } from '../provider.ts'
import { type ApiCall, callJson, parseJson } from './api-call.ts'
import { hostOf } from './endpoint.ts'
import { createTokenMemory } from './token-memory.ts'

/** What the assertion is for, also where a test or a private endpoint answers it. */
const AUDIENCE = 'https://oauth2.googleapis.com/token'
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'
const ASSERTION_LIFE_S = 3600
/** More than the client's own margin, or it would get the old one again. */
const EARLY_MS = 6 * 60_000

const ServiceKey = z.object({
  type: z.literal('service_account'),
  client_email: z.string().min(1),
  private_key: z.string().min(1),
  private_key_id: z.string().optional(),
  project_id: z.string().optional(),
})
export type ServiceKey = z.infer<typeof ServiceKey>

const AccessToken = z.object({ access_token: z.string().min(1), expires_in: z.number() })

const tokens = createTokenMemory<{ token: string; expiresAt: number }>(EARLY_MS)

/**
 * The service account's key, stored as JSON or base64 of it; undefined: something else.
 * @throws AppError when the user says it is a key and it is not
 */
export function readServiceKey({ accessKey, secretKey }: Endpoint): ServiceKey | undefined {
  const text = secretKey.trim()
  const value = parseJson(text) ?? parseJson(Buffer.from(text, 'base64').toString('utf8'))
  const parsed = ServiceKey.safeParse(value)
  if (parsed.success) return parsed.data
  if (!/^_json_key(?:_base64)?$/.test(accessKey)) return undefined
  const message = `the secret for the user ${accessKey} must be the key of a Google service account: its JSON file, or that in base64`
  throw new AppError('invalid_input', message, { field: 'secret_key' })
}

/**
 * An access token of an hour for a signed assertion (RFC 7523, "Using OAuth 2.0 for Server to Server
 * Applications"), so that the key itself is not sent with every request. `expiresAt` in epoch
 * milliseconds.
 */
export async function exchangeServiceKey(
  context: ProviderContext,
  key: ServiceKey,
): Promise<{ token: string; expiresAt: number }> {
  const url = tokenAddress(context)
  const now = context.clock.now()
  return tokens.remember([url, key.client_email, key.private_key], now, async () => {
    const assertion = await signAssertion(key, Math.floor(now / 1000))
    const call: ApiCall = {
      registry: `Google Artifact Registry at ${hostOf(context.endpoint)}`,
      purpose: 'log in',
      url,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `${new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion,
      })}`,
      isVendorApi: true,
      advice: 'check that the key was not deleted, and the clock of this machine',
      readRefusal: (body) => {
        const parsed = z
          .object({ error: z.string(), error_description: z.string().optional() })
          .safeParse(body)
        if (!parsed.success) return undefined
        // RFC 6749, 5.2: a refused assertion is a 400.
        const { error: code, error_description: message = '' } = parsed.data
        return { code, message, kind: 'denied' }
      },
    }
    const { value } = await callJson(context, call, AccessToken)
    const expiresAt = now + value.expires_in * 1000
    return { value: { token: value.access_token, expiresAt }, expiresAt }
  })
}

/** For a token that is refused before its time. */
export function forgetServiceToken(context: ProviderContext, key: ServiceKey): void {
  tokens.forget([tokenAddress(context), key.client_email, key.private_key])
}

/** Never the key's own `token_uri`: who made the key shall not say where its assertion goes. */
function tokenAddress(context: ProviderContext): string {
  return context.apiUrl?.('google-oauth') ?? AUDIENCE
}

async function signAssertion(key: ServiceKey, issuedAt: number): Promise<string> {
  try {
    const privateKey = await importPKCS8(key.private_key, 'RS256')
    return await new SignJWT({ scope: SCOPE })
      .setProtectedHeader({
        alg: 'RS256',
        typ: 'JWT',
        ...(key.private_key_id ? { kid: key.private_key_id } : {}),
      })
      .setIssuer(key.client_email)
      .setAudience(AUDIENCE)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + ASSERTION_LIFE_S)
      .sign(privateKey)
  } catch {
    // Not passed on as the cause: it may quote the key.
    const message = `the private key of the service account ${key.client_email} cannot be read; store its JSON file again`
    throw new AppError('invalid_input', message, { field: 'secret_key' })
  }
}

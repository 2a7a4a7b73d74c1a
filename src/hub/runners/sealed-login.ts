import { CompactEncrypt, compactDecrypt, importJWK, type JWK } from 'jose'
import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type { RunnerPublicKey, RunnerTaskRegistry } from './protocol.ts'

/*
 * The password of a registry, encrypted to the key of its runner (JWE, ECDH-ES with P-256 and
 * A256GCM). Beside the password stands what it may be used with: a hub that was taken over can name
 * another address, but the runner sends it to none but this one.
 */

const ALGORITHM = 'ECDH-ES'
const ENCRYPTION = 'A256GCM'

const SealedLogin = z.object({
  secret: z.string(),
  provider: z.string(),
  address: z.string(),
  verifyTls: z.boolean(),
  caCertificate: z.string().nullable(),
})

/** What a password is bound to. */
export type LoginUse = Pick<
  RunnerTaskRegistry,
  'provider' | 'address' | 'verifyTls' | 'caCertificate'
>

/** Compact JWE that nobody can open but who has the private key. */
export async function sealLogin(
  { publicKey, keyId }: { publicKey: RunnerPublicKey; keyId: string },
  secret: string,
  { provider, address, verifyTls, caCertificate }: LoginUse,
): Promise<string> {
  const key = await importJWK(publicKey, ALGORITHM)
  const login: z.output<typeof SealedLogin> = {
    secret,
    provider,
    address,
    verifyTls,
    caCertificate,
  }
  return new CompactEncrypt(new TextEncoder().encode(JSON.stringify(login)))
    .setProtectedHeader({ alg: ALGORITHM, enc: ENCRYPTION, kid: keyId })
    .encrypt(key)
}

/**
 * In the runner: the password, if it is for this use.
 * @throws AppError denied
 */
export async function openLogin(privateKey: JWK, sealed: string, use: LoginUse): Promise<string> {
  const login = await decrypt(privateKey, sealed)
  const same =
    login.provider === use.provider &&
    login.address === use.address &&
    login.verifyTls === use.verifyTls &&
    login.caCertificate === use.caCertificate
  if (same) return login.secret
  throw new AppError(
    'denied',
    'the password was given for another address or other TLS settings than the hub names now; give it again',
    because('runner_password_elsewhere', {}),
  )
}

async function decrypt(privateKey: JWK, sealed: string): Promise<z.output<typeof SealedLogin>> {
  try {
    const key = await importJWK(privateKey, ALGORITHM)
    const { plaintext } = await compactDecrypt(sealed, key, {
      keyManagementAlgorithms: [ALGORITHM],
      contentEncryptionAlgorithms: [ENCRYPTION],
    })
    return SealedLogin.parse(JSON.parse(new TextDecoder().decode(plaintext)))
  } catch (error) {
    throw new AppError(
      'denied',
      'the password was encrypted to another key than that of this runner; give it again',
      because('runner_password_elsewhere', {}),
      error,
    )
  }
}

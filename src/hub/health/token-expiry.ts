import { decodeJwt } from 'jose'

/** Epoch milliseconds at which a secret that is a JWT ends; null: it is none, or has no end. */
export function tokenExpiry(secret: string): number | null {
  try {
    const { exp } = decodeJwt(secret)
    return exp === undefined ? null : exp * 1000
  } catch {
    return null
  }
}

/** Who tokens are for; the same in every replica and under every host name. */
export const TOKEN_SERVICE = 'entrepot'

/**
 * The `WWW-Authenticate` header (distribution, token specification). Clients exist that read it by
 * position, so it is exactly realm, service, scope; what comes after is for those who look by name.
 */
export function challenge(options: {
  /** Where the client reaches us: `https://registry.example`. */
  origin: string
  scope?: string | undefined
  /** A token was shown, but not one for this, or not a good one (RFC 6750 section 3.1). */
  error?: 'insufficient_scope' | 'invalid_token' | undefined
  /** ASCII; must not contain the names of schemes, which the conformance program looks for. */
  description?: string
}): string {
  const { origin, scope, error, description } = options
  const parts = [`realm="${origin}/token"`, `service="${TOKEN_SERVICE}"`]
  if (scope) parts.push(`scope="${scope}"`)
  if (error) parts.push(`error="${error}"`)
  if (error && description) parts.push(`error_description="${plain(description)}"`)
  return `Bearer ${parts.join(',')}`
}

function plain(text: string): string {
  return text
    .replace(/[^\x20-\x7e]/g, '?')
    .replace(/["\\]/g, "'")
    .replace(/basic|bearer/gi, 'token')
}

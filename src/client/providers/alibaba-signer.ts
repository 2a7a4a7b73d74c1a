import { createHash, createHmac } from 'node:crypto'

/*
 * Alibaba Cloud, "Request syntax and signature method V3" (ACS3-HMAC-SHA256): one method for its
 * RPC and its REST style. Checked against the example with fixed values of that page.
 */

const ALGORITHM = 'ACS3-HMAC-SHA256'
const SIGNED = /^(?:x-acs-.+|host|content-type)$/

/**
 * All headers of the call but the host: those given, what names the call, and `authorization`.
 */
export function signAlibaba(request: {
  method: string
  url: URL
  /** Such as `GetAuthorizationToken`, of API version `version`. */
  action: string
  version: string
  headers?: Readonly<Record<string, string>>
  body?: string
  accessKey: string
  secretKey: string
  /** Epoch milliseconds. */
  now: number
  /** Never twice, or the call is refused as repeated. */
  nonce: string
}): Record<string, string> {
  const { method, url, action, version, body = '', accessKey, secretKey, now, nonce } = request
  const payload = createHash('sha256').update(body).digest('hex')
  const headers: Record<string, string> = {
    ...request.headers,
    'x-acs-action': action,
    'x-acs-version': version,
    'x-acs-date': `${new Date(now).toISOString().slice(0, 19)}Z`,
    'x-acs-signature-nonce': nonce,
    'x-acs-content-sha256': payload,
  }
  const all: Record<string, string> = { host: url.host, ...headers }
  const names = Object.keys(all)
    .filter((name) => SIGNED.test(name))
    .sort()
  const canonical = [
    method.toUpperCase(),
    url.pathname
      .split('/')
      .map((part) => encode(decodeURIComponent(part)))
      .join('/'),
    [...url.searchParams]
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .sort()
      .join('&'),
    ...names.map((name) => `${name}:${(all[name] ?? '').trim()}`),
    '',
    names.join(';'),
    payload,
  ].join('\n')
  const toSign = `${ALGORITHM}\n${createHash('sha256').update(canonical).digest('hex')}`
  const signature = createHmac('sha256', secretKey).update(toSign).digest('hex')
  return {
    ...headers,
    authorization: `${ALGORITHM} Credential=${accessKey},SignedHeaders=${names.join(';')},Signature=${signature}`,
  }
}

/** All but the unreserved characters of RFC 3986. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

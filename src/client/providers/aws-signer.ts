import { createHash, createHmac } from 'node:crypto'

/*
 * AWS Signature Version 4 ("Create a signed AWS API request"), for the services that encode paths
 * twice, which is all but S3. Checked against the vendor's published test suite.
 */

const ALGORITHM = 'AWS4-HMAC-SHA256'

/**
 * The headers to add: `x-amz-date` and `authorization`. Everything in `headers` is signed, and the
 * host.
 */
export function signAws(request: {
  method: string
  url: URL
  headers?: Readonly<Record<string, string>>
  body?: string
  region: string
  service: string
  accessKey: string
  secretKey: string
  /** Epoch milliseconds. */
  now: number
}): Record<string, string> {
  const {
    method,
    url,
    headers = {},
    body = '',
    region,
    service,
    accessKey,
    secretKey,
    now,
  } = request
  const time = `${new Date(now).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
  const day = time.slice(0, 8)
  const all: Record<string, string> = { host: url.host, 'x-amz-date': time }
  for (const [name, value] of Object.entries(headers)) all[name.toLowerCase()] = value
  const names = Object.keys(all).sort()
  const canonical = [
    method.toUpperCase(),
    url.pathname.split('/').map(encode).join('/'),
    canonicalQuery(url.searchParams),
    ...names.map((name) => `${name}:${(all[name] ?? '').trim().replace(/ +/g, ' ')}`),
    '',
    names.join(';'),
    sha256(body),
  ].join('\n')
  const scope = `${day}/${region}/${service}/aws4_request`
  const toSign = [ALGORITHM, time, scope, sha256(canonical)].join('\n')
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(
    (previous, part) => hmac(previous, part),
    `AWS4${secretKey}`,
  )
  const signature = hmac(key, toSign).toString('hex')
  return {
    'x-amz-date': time,
    authorization: `${ALGORITHM} Credential=${accessKey}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
  }
}

function canonicalQuery(query: URLSearchParams): string {
  return [...query]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&')
}

/** All but the unreserved characters of RFC 3986; a path that was encoded already is so again. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

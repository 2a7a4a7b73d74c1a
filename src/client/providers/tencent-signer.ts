import { createHash, createHmac } from 'node:crypto'

/*
 * Tencent Cloud API 3.0, "Signature v3" (TC3-HMAC-SHA256), for its one form of call: a JSON POST to
 * `/`. Checked against the example that the documentation works through.
 */

const ALGORITHM = 'TC3-HMAC-SHA256'

/** The `authorization` header. Every header in `headers` is signed; the host must be among them. */
export function signTencent(request: {
  /** By lower-case name. */
  headers: Readonly<Record<string, string>>
  body: string
  /** The first label of the host, such as `tcr`. */
  service: string
  accessKey: string
  secretKey: string
  /** Epoch seconds, as in `x-tc-timestamp`. */
  timestamp: number
}): string {
  const { headers, body, service, accessKey, secretKey, timestamp } = request
  // The day in UTC, whatever the clock of the machine shows.
  const day = new Date(timestamp * 1000).toISOString().slice(0, 10)
  const names = Object.keys(headers).sort()
  const canonical = [
    'POST',
    '/',
    '',
    ...names.map((name) => `${name}:${(headers[name] ?? '').trim().toLowerCase()}`),
    '',
    names.join(';'),
    sha256(body),
  ].join('\n')
  const scope = `${day}/${service}/tc3_request`
  const toSign = [ALGORITHM, `${timestamp}`, scope, sha256(canonical)].join('\n')
  const key = [day, service, 'tc3_request'].reduce<string | Buffer>(
    (previous, part) => hmac(previous, part),
    `TC3${secretKey}`,
  )
  const signature = hmac(key, toSign).toString('hex')
  return `${ALGORITHM} Credential=${accessKey}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

import { createHash, createHmac } from 'node:crypto'

/*
 * Request signing of Huawei Cloud, SDK-HMAC-SHA256, as its "API Signing Guide" prints it: what a
 * verifier needs to check a request, and what a client needs to sign one.
 */

const ALGORITHM = 'SDK-HMAC-SHA256'
/** Stands for the hash of a body that was not hashed, in `X-Sdk-Content-Sha256`. */
export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD'
export const EMPTY_PAYLOAD = sha256('')

/** What is signed of a request. */
export interface SignedRequest {
  method: string
  /** As on the wire, percent-encoded or not, without the query. */
  path: string
  query: URLSearchParams
  /** Of the headers in `signedHeaders`, by lower-case name. */
  headers: Readonly<Record<string, string>>
  /** Lower case, in the order of the Authorization header. */
  signedHeaders: readonly string[]
  /** Lower-case hex of the body's sha256, or `UNSIGNED_PAYLOAD`. */
  payloadHash: string
}

/** The `Authorization` header, taken apart. */
export interface SignatureHeader {
  accessKey: string
  signedHeaders: string[]
  /** 64 lower-case hex digits. */
  signature: string
}

/** True for an `Authorization` header of a scheme that only this kind of client sends. */
export function isSignatureScheme(authorization: string): boolean {
  return /^(?:SDK|V11)-[A-Z0-9-]+(?: |$)/.test(authorization)
}

/** Undefined for what is not `SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=…`. */
export function parseSignatureHeader(authorization: string): SignatureHeader | undefined {
  const pattern =
    /^SDK-HMAC-SHA256 +Access=([\w-]{1,128}), *SignedHeaders=([!#$%&'*+.^`|~\w;-]{1,4096}), *Signature=([0-9a-f]{64})$/
  const [, accessKey = '', names = '', signature = ''] = pattern.exec(authorization.trim()) ?? []
  if (signature === '') return undefined
  return { accessKey, signedHeaders: names.toLowerCase().split(';'), signature }
}

/** @throws URIError when the path is not percent-encoded UTF-8 */
export function canonicalRequest(request: SignedRequest): string {
  const { method, path, query, headers, signedHeaders, payloadHash } = request
  return [
    method.toUpperCase(),
    canonicalPath(path),
    canonicalQuery(query),
    ...signedHeaders.map((name) => `${name}:${(headers[name] ?? '').trim()}`),
    '',
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n')
}

/** The signature, lower-case hex. `date` as in `X-Sdk-Date`. */
export function signatureOf(secretKey: string, canonical: string, date: string): string {
  const text = `${ALGORITHM}\n${date}\n${sha256(canonical)}`
  return createHmac('sha256', secretKey).update(text).digest('hex')
}

/** Epoch milliseconds of `20191111T093443Z`; undefined for anything else. */
export function parseSdkDate(date: string): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date)
  if (!parts) return undefined
  const [, year, month, day, hour, minute, second] = parts
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(time) ? undefined : time
}

/** `20191111T093443Z`: whole seconds, so that equal requests of one second are signed alike. */
export function sdkDateOf(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
}

/**
 * The headers that a client adds to a request: `x-sdk-date` and `authorization`. Everything in
 * `headers` is signed too, but for names with `_`, which gateways drop.
 */
export function signRequest(request: {
  method: string
  url: URL
  headers?: Readonly<Record<string, string>>
  body?: Uint8Array | string
  accessKey: string
  secretKey: string
  /** Epoch milliseconds. */
  now: number
}): Record<string, string> {
  const { method, url, headers = {}, body = '', accessKey, secretKey, now } = request
  const date = sdkDateOf(now)
  const all: Record<string, string> = { host: url.host, 'x-sdk-date': date }
  for (const [name, value] of Object.entries(headers)) {
    if (!name.includes('_')) all[name.toLowerCase()] = value
  }
  const signedHeaders = Object.keys(all).sort()
  const canonical = canonicalRequest({
    method,
    path: url.pathname,
    query: url.searchParams,
    headers: all,
    signedHeaders,
    payloadHash: all['x-sdk-content-sha256'] ?? sha256(body),
  })
  const signature = signatureOf(secretKey, canonical, date)
  return {
    'x-sdk-date': date,
    authorization: `${ALGORITHM} Access=${accessKey}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`,
  }
}

/** Lower-case hex. */
export function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex')
}

/** Each part encoded once, with a slash at the end. */
function canonicalPath(path: string): string {
  const encoded = path
    .split('/')
    .map((part) => encode(decodeURIComponent(part)))
    .join('/')
  return encoded.endsWith('/') ? encoded : `${encoded}/`
}

/** By name, then by value, as the vendor's clients sort them. */
function canonicalQuery(query: URLSearchParams): string {
  return [...query]
    .sort(([name, value], [other, otherValue]) => order(name, other) || order(value, otherValue))
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .join('&')
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** All but `A-Z a-z 0-9 - _ . ~`, in upper-case hex. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

import { X509Certificate } from 'node:crypto'
import { codeOf } from './code-of.ts'
import { AppError } from './errors.ts'
import { because } from './reasons.ts'

/** `details.problem` of `remote_unreachable`. */
export type RemoteProblem =
  | 'name'
  | 'refused'
  | 'unreachable'
  | 'timeout'
  | 'closed'
  | 'tls'
  | 'certificate_expired'
  | 'certificate_not_yet_valid'
  | 'certificate_untrusted'
  | 'certificate_name'
  | 'certificate_authority'
  | 'not_http'

/** The codes of Bun's fetch, which are those of the system, of OpenSSL and its own. */
const PROBLEMS: Record<string, RemoteProblem> = {
  ECONNREFUSED: 'refused',
  ConnectionRefused: 'refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  ETIMEDOUT: 'timeout',
  ECONNRESET: 'closed',
  ConnectionClosed: 'closed',
  EPIPE: 'closed',
  EPROTO: 'tls',
  CERT_HAS_EXPIRED: 'certificate_expired',
  CERT_NOT_YET_VALID: 'certificate_not_yet_valid',
  ERR_TLS_CERT_ALTNAME_INVALID: 'certificate_name',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'certificate_untrusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'certificate_untrusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'certificate_untrusted',
  UNABLE_TO_GET_ISSUER_CERT: 'certificate_untrusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'certificate_untrusted',
  CERT_UNTRUSTED: 'certificate_untrusted',
  CERT_REVOKED: 'certificate_untrusted',
  INVALID_CA: 'certificate_untrusted',
  INVALID_PURPOSE: 'certificate_untrusted',
  CERT_CHAIN_TOO_LONG: 'certificate_untrusted',
  CERT_SIGNATURE_FAILURE: 'certificate_untrusted',
  FailedToOpenSocket: 'unreachable',
  Malformed_HTTP_Response: 'not_http',
  HTTP_DATA_AFTER_EMPTY_CONTENT_LENGTH: 'not_http',
}

const SENTENCES: Record<RemoteProblem, (host: string) => string> = {
  name: (host) => `the name of ${host} cannot be resolved; check the spelling, or the name server`,
  refused: (host) => `${host} refused the connection; nothing listens on that port`,
  unreachable: (host) => `${host} cannot be reached from here; no route leads to it`,
  timeout: (host) => `${host} did not answer in time`,
  closed: (host) => `${host} closed the connection before its answer was complete`,
  tls: (host) => `no TLS connection to ${host} was possible; perhaps it speaks plain http`,
  certificate_expired: (host) => `the certificate of ${host} has expired`,
  certificate_not_yet_valid: (host) => `the certificate of ${host} is not valid yet`,
  certificate_untrusted: (host) =>
    `the certificate of ${host} is signed by nobody who is trusted here; ` +
    'give the certificate of its authority, or switch verification off',
  certificate_name: (host) => `the certificate of ${host} is for another name`,
  certificate_authority: (host) =>
    `the certificate of the authority that was given for ${host} is not valid PEM`,
  not_http: (host) => `${host} does not speak HTTP on that port, or the answer is broken`,
}

export function remoteFailure(problem: RemoteProblem, message: string, host?: string): AppError {
  const reason = host === undefined ? {} : because(`remote_${problem}`, { host })
  return new AppError('remote_unreachable', message, { problem, ...reason })
}

function failureOf(problem: RemoteProblem, host: string): AppError {
  return new AppError('remote_unreachable', SENTENCES[problem](host), {
    problem,
    ...because(`remote_${problem}`, { host }),
  })
}

/**
 * What `fetch` threw, as a sentence for the person who gave the address. Without the cause: that
 * holds the whole address, perhaps with a signature.
 */
export function toRemoteFailure(error: unknown, host: string, caCertificate?: string): unknown {
  if (error instanceof AppError) return error
  // Bun does not say more than that the socket did not open.
  if (caCertificate !== undefined && !isCertificate(caCertificate)) {
    return failureOf('certificate_authority', host)
  }
  const code = codeOf(error)
  const problem = PROBLEMS[code] ?? (/CERT|_CA$/.test(code) ? 'certificate_untrusted' : undefined)
  if (problem) return failureOf(problem, host)
  const shown = /^\w{1,60}$/.test(code) ? ` (${code})` : ''
  return remoteFailure('closed', `the request to ${host} failed${shown}`, host)
}

/** True when the request cannot have reached the server. */
export function isNeverArrived(error: unknown): boolean {
  const problem = PROBLEMS[codeOf(error)]
  return problem === 'refused' || problem === 'unreachable'
}

export function nameFailure(host: string): AppError {
  return failureOf('name', host)
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined
  } catch {
    return false
  }
}

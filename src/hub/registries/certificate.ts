import { X509Certificate } from 'node:crypto'
import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'

const MAX_LENGTH = 131_072
const MOST = 64

/**
 * The certificates of a PEM text, each read once, without what stands between them; undefined when
 * it is blank.
 * @throws AppError invalid_input
 */
export function parseCertificates(pem: string): string | undefined {
  if (pem.trim() === '') return undefined
  if (pem.length > MAX_LENGTH) throw invalid(`must have at most ${MAX_LENGTH} characters`)
  const blocks = blocksOf(pem)
  if (blocks.some(({ kind }) => kind.includes('PRIVATE KEY'))) {
    throw invalid(
      'holds a private key, which must stay where it is; send the certificate alone',
      undefined,
      'registry_certificate_private',
    )
  }
  const other = blocks.find(({ kind }) => kind !== 'CERTIFICATE' && kind !== 'TRUSTED CERTIFICATE')
  if (other) throw invalid(`holds a ${other.kind}; send certificates alone`)
  if (blocks.length === 0) {
    throw invalid(
      'is not PEM: it must have a line -----BEGIN CERTIFICATE----- and one that ends it',
    )
  }
  if (blocks.length > MOST) throw invalid(`may have at most ${MOST} certificates`)
  return `${blocks.map(({ text }, i) => canonical(text, i + 1)).join('\n')}\n`
}

/** What stands between each BEGIN and its END. */
function blocksOf(pem: string): { text: string; kind: string }[] {
  return pem.split(/(?=-----BEGIN )/).flatMap((part) => {
    const kind = /^-----BEGIN ([A-Z0-9 ]+)-----/.exec(part)?.[1]
    const end = `-----END ${kind}-----`
    const at = part.indexOf(end)
    return kind === undefined || at < 0 ? [] : [{ text: part.slice(0, at + end.length), kind }]
  })
}

function canonical(text: string, place: number): string {
  try {
    return new X509Certificate(text).toString().trim()
  } catch (error) {
    throw invalid(`cannot be read: block ${place} is no X.509 certificate`, error)
  }
}

function invalid(
  rule: string,
  cause?: unknown,
  reason:
    | 'registry_certificate_invalid'
    | 'registry_certificate_private' = 'registry_certificate_invalid',
): AppError {
  const details = { field: 'caCertificate', ...because(reason, {}) }
  return new AppError('invalid_input', `the CA certificate ${rule}`, details, cause)
}

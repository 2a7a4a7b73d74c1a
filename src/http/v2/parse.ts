import { AppError } from '../../lib/errors.ts'
import { type Digest, parseDigest } from '../../oci/digest.ts'
import { isTag, parseReference, type Reference } from '../../oci/reference.ts'
import { uploadUnknown } from '../../registry/upload-owner.ts'

const UPLOAD_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** @throws AppError digest_invalid */
export function demandDigest(text: string | null): Digest {
  const digest = parseDigest(text ?? '')
  if (digest) return digest
  throw new AppError(
    'digest_invalid',
    `"${(text ?? '').slice(0, 150)}" is not a digest: use sha256: or sha512: and its lower-case hex`,
  )
}

/** For writing. @throws AppError digest_invalid, manifest_invalid */
export function demandReference(text: string): Reference {
  const reference = parseReference(text)
  if (reference) return reference
  if (text.includes(':')) demandDigest(text)
  throw invalidTag(text)
}

/**
 * For reading: nothing can stand under what is no tag, and the conformance suite of 1.1.1 wants 404.
 * @throws AppError digest_invalid, manifest_unknown
 */
export function askedReference(text: string): Reference {
  const reference = parseReference(text)
  if (reference) return reference
  if (text.includes(':')) demandDigest(text)
  throw new AppError('manifest_unknown', invalidTag(text).message)
}

/** @throws AppError manifest_invalid */
export function demandTag(text: string): string {
  if (isTag(text)) return text
  throw invalidTag(text)
}

/** Only what could be an id reaches the database. @throws AppError upload_unknown */
export function demandUploadId(text: string): string {
  if (UPLOAD_ID.test(text)) return text
  throw uploadUnknown(text)
}

/**
 * `n` of a list: clamped to `max`, since clients such as Renovate ask for anything.
 * @throws AppError invalid_input
 */
export function pageSize(query: URLSearchParams, fallback: number, max: number): number {
  const text = query.get('n')
  if (text === null) return fallback
  if (!/^\d+$/.test(text)) {
    throw new AppError('invalid_input', `n is "${text.slice(0, 50)}"; it must be a whole number`)
  }
  return Math.min(Number(text), max)
}

/** The `Link` to the next page: path-absolute, so that it holds behind any proxy. */
export function nextLink(path: string, query: Record<string, string | string[]>): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) parameters.append(name, one)
  }
  return `<${path}?${parameters}>; rel="next"`
}

function invalidTag(text: string): AppError {
  return new AppError(
    'manifest_invalid',
    `"${text.slice(0, 150)}" is not a tag: use 1 to 128 letters, digits, "_", "." and "-", not starting with "." or "-"`,
  )
}

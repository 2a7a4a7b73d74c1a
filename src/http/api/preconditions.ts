import { AppError } from '../../lib/errors.ts'
import type { ApiRoute } from './route.ts'

/** Of no row: whoever sends another's ETag has not seen ours. */
const NO_VERSION = -1

export const etagOf = (version: number): string => `"${version}"`

/**
 * The version that the caller has seen (RFC 9110 section 13.1.1); undefined: any.
 * @throws AppError invalid_input, precondition_failed
 */
export function ifMatch(
  header: string | null,
  { method, versioned }: Pick<ApiRoute, 'method' | 'versioned'>,
): number | undefined {
  if (method === 'GET' || header === null || header.trim() === '*') return undefined
  if (!versioned) {
    throw new AppError('precondition_failed', 'this has no ETag; leave If-Match out')
  }
  if (/"\s*,/.test(header)) {
    throw new AppError('invalid_input', 'If-Match may have one ETag only', { field: 'If-Match' })
  }
  // Weak ones never match here (section 8.8.3.2).
  const digits = /^\s*"(\d{1,15})"\s*$/.exec(header)?.[1]
  return digits === undefined ? NO_VERSION : Number(digits)
}

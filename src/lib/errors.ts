import type { Reason } from './reasons.ts'

/**
 * Every failure that a caller may see. The status and the form on the wire are not known here:
 * each face has one table from these codes to its own (`http/<face>/errors.ts`).
 */
export type ErrorCode =
  // what was sent is wrong
  | 'invalid_input'
  | 'name_invalid'
  | 'digest_invalid'
  | 'digest_mismatch'
  | 'manifest_invalid'
  | 'manifest_too_large'
  | 'size_invalid'
  | 'range_invalid'
  | 'upload_range_invalid'
  | 'upload_invalid'
  | 'too_large'
  | 'method_unsupported'
  // who asks
  | 'unauthenticated'
  | 'insufficient_scope'
  | 'denied'
  // what is there
  | 'not_found'
  | 'project_unknown'
  | 'repository_unknown'
  | 'manifest_unknown'
  | 'manifest_blob_unknown'
  | 'blob_unknown'
  | 'upload_unknown'
  | 'conflict'
  | 'in_use'
  | 'immutable'
  | 'precondition_failed'
  | 'quota_exceeded'
  // what the server can do now
  | 'rate_limited'
  | 'storage_full'
  | 'read_only'
  | 'unavailable'
  | 'internal'
  // what other servers do, in the client to other registries
  | 'address_refused'
  | 'remote_unreachable'
  | 'remote_denied'
  | 'remote_error'

export interface ErrorDetails {
  /** The field, parameter or header that is wrong. */
  field?: string
  /** One entry per problem where several are reported at once. */
  problems?: { field?: string; message: string; detail?: unknown }[]
  /** Seconds after which a new try makes sense. */
  retryAfter?: number
  /** What the console says of it in the reader's language: see `because`. */
  reason?: { name: Reason; params: Record<string, string | number> }
  /** Headers that the answer must carry, such as the offset of an upload. */
  headers?: Record<string, string>
  /** Anything else that belongs into the machine-readable part of the answer. */
  [key: string]: unknown
}

/**
 * The one error class. `message` is written for the person who reads it in a terminal: what is
 * wrong, why, and who can change it.
 */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.details = details
  }
}

/** True for an AppError, narrowed to one of `codes` when some are given. */
export function isAppError(error: unknown, ...codes: ErrorCode[]): error is AppError {
  return error instanceof AppError && (codes.length === 0 || codes.includes(error.code))
}

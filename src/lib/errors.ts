import type { ErrorCode } from './error-code.ts'
import type { Says } from './reasons.ts'

export type { ErrorCode }

export interface ErrorDetails {
  /** The field, parameter or header that is wrong. */
  field?: string
  /** One entry per problem where several are reported at once. */
  problems?: { field?: string; message: string; says?: Says | undefined; detail?: unknown }[]
  /** Seconds after which a new try makes sense. */
  retryAfter?: number
  /** What the console says of it in the reader's language: see `because`. */
  reason?: Says
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

import { isWorthRetrying } from '../../client/remote-error.ts'
import { retryDelay } from '../../jobs/job.ts'
import { AppError, type ErrorCode, isAppError } from '../../lib/errors.ts'

/** In a row, without a byte getting through: about half an hour. */
const MOST_FAILURES = 10
const BACK_OFF = { firstDelayMs: 2_000, maxDelayMs: 5 * 60_000 }
/** A registry may ask for hours (Docker Hub counts over six of them), but not for ever. */
const MOST_WAIT_MS = 24 * 60 * 60_000

/** The next try may go better without anybody doing anything. */
const PASSING: readonly ErrorCode[] = [
  'unavailable',
  'internal',
  'storage_full',
  'read_only',
  // The bytes did not arrive as they should have.
  'digest_mismatch',
  'upload_invalid',
  'upload_unknown',
  'upload_range_invalid',
]

export type WhatNext =
  | { state: 'failed'; error: AppError }
  | { state: 'queued'; error: AppError; until: number; failures: number }

/**
 * Whether a transfer that failed is tried again, and when. A pause that was asked for is kept.
 * `isPast`: what led to the failure has been forgotten, so the next try is another one.
 */
export function whatNext(
  failure: unknown,
  { failures, now, isPast = false }: { failures: number; now: number; isPast?: boolean },
): WhatNext {
  const error = isAppError(failure) ? failure : unexpected(failure)
  const { retryAfter } = error.details
  if (retryAfter !== undefined && isPassing(error)) {
    const wait = Math.min(Math.round(retryAfter * 1000), MOST_WAIT_MS)
    return { state: 'queued', error, until: now + wait, failures }
  }
  const count = failures + 1
  if (!(isPast || isPassing(error)) || count >= MOST_FAILURES) return { state: 'failed', error }
  return {
    state: 'queued',
    error,
    until: now + retryDelay(BACK_OFF, count, error),
    failures: count,
  }
}

function isPassing(error: AppError): boolean {
  const { problem } = error.details
  const isGarbled =
    (error.code === 'remote_error' && (problem === 'digest' || problem === 'size')) ||
    saysRemotely(error, 'DIGEST_INVALID')
  return PASSING.includes(error.code) || isWorthRetrying(error) || isGarbled
}

/** The target does not have a blob that it had, or was thought to have. */
export function isBlobMissing(error: unknown): boolean {
  if (!isAppError(error)) return false
  return error.code === 'manifest_blob_unknown' || saysRemotely(error, 'MANIFEST_BLOB_UNKNOWN')
}

/** A code of distribution-spec, "Error Codes", in what a registry answered. */
function saysRemotely({ details: { remoteCodes } }: AppError, code: string): boolean {
  return Array.isArray(remoteCodes) && remoteCodes.includes(code)
}

function unexpected(failure: unknown): AppError {
  const text = failure instanceof Error ? failure.message || failure.name : String(failure)
  return new AppError('internal', `something went wrong: ${text.slice(0, 500)}`, {}, failure)
}

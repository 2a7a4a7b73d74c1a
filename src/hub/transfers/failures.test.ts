import { describe, expect, test } from 'bun:test'
import { AppError, type ErrorCode, type ErrorDetails } from '../../lib/errors.ts'
import { isBlobMissing, whatNext } from './failures.ts'

const now = 1_000_000
const next = (code: ErrorCode, details: ErrorDetails = {}, failures = 0, isPast = false) =>
  whatNext(new AppError(code, 'why', details), { failures, now, isPast })

describe('what becomes of a transfer that failed', () => {
  test.each([
    ['unavailable', {}],
    ['internal', {}],
    ['remote_unreachable', { problem: 'timeout' }],
    ['remote_error', { problem: 'server' }],
    ['remote_error', { problem: 'digest' }],
    ['remote_error', { problem: 'rejected', remoteCodes: ['DIGEST_INVALID'] }],
    ['digest_mismatch', {}],
  ] as const)('%s %o is tried again, later each time', (code, details) => {
    const first = next(code, details)
    const third = next(code, details, 2)
    if (first.state !== 'queued' || third.state !== 'queued') throw new Error('not tried again')
    expect(first.failures).toBe(1)
    expect(first.until - now).toBeGreaterThanOrEqual(1_000)
    expect(first.until - now).toBeLessThanOrEqual(2_000)
    expect(third.until - now).toBeGreaterThanOrEqual(4_000)
    expect(next(code, details, 9)).toMatchObject({ state: 'failed' })
  })

  test.each([
    ['denied', {}],
    ['immutable', {}],
    ['quota_exceeded', {}],
    ['manifest_unknown', {}],
    ['remote_denied', { problem: 'login', retryAfter: 10 }],
    ['remote_error', { problem: 'rejected' }],
    ['remote_unreachable', { problem: 'certificate' }],
    ['address_refused', {}],
  ] as const)('%s %o is its end', (code, details) => {
    expect(next(code, details)).toMatchObject({ state: 'failed', error: { code } })
  })

  test('a pause that was asked for is kept, whatever its length, and is no failure', () => {
    const limited = next('rate_limited', { retryAfter: 6 * 3600 }, 9)
    expect(limited).toMatchObject({ state: 'queued', until: now + 6 * 3_600_000, failures: 9 })
    const forever = next('rate_limited', { retryAfter: 1e9 })
    expect(forever).toMatchObject({ until: now + 24 * 3_600_000 })
  })

  test('what nobody expected is told in a sentence', () => {
    const unexpected = whatNext(new TypeError('x is not a function'), { failures: 0, now })
    expect(unexpected).toMatchObject({ state: 'queued', error: { code: 'internal' } })
    expect(unexpected.error.message).toBe('something went wrong: x is not a function')
  })

  test('a blob that was thought to be there is asked for again, once', () => {
    const gone = new AppError('remote_error', 'no', { remoteCodes: ['MANIFEST_BLOB_UNKNOWN'] })
    expect(isBlobMissing(gone)).toBe(true)
    expect(isBlobMissing(new AppError('manifest_blob_unknown', 'no'))).toBe(true)
    expect(isBlobMissing(new Error('no'))).toBe(false)
    expect(whatNext(gone, { failures: 0, now, isPast: true })).toMatchObject({ state: 'queued' })
    expect(whatNext(gone, { failures: 0, now })).toMatchObject({ state: 'failed' })
  })
})

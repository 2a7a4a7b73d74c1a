import type { Says } from '../../lib/reasons.ts'

/** In the order in which they are tried; what cannot be reached any more is `skipped`. */
export const CHECK_STEPS = [
  'resolve',
  'connect',
  'tls',
  'challenge',
  'login',
  'namespace',
  'pull',
  'push',
  'clock',
  'rateLimit',
] as const

export type CheckStepName = (typeof CHECK_STEPS)[number]

export interface CheckStep {
  step: CheckStepName
  /** `warning`: works, but not for everything one may want of a registry. */
  result: 'ok' | 'warning' | 'failed' | 'skipped'
  /** Milliseconds that it took; null where it took none of its own. */
  ms: number | null
  message: string
  /** What to do about it; empty when there is nothing to do. */
  advice: string
  /** The same for the console, where it has words for it: see `because`. */
  says?: Says | undefined
}

/** What a test of a connection found. */
export interface ConnectionReport {
  /** Epoch milliseconds. */
  at: number
  ok: boolean
  /** The sentence of the first step that failed, with what to do; empty when none did. */
  reason: string
  /** HSS's word for the reason; null when all is well. */
  code: 'CREATE_JOB_FAILED' | 'REQUEST_API_ERROR' | 'SERVER_ERROR' | null
  /** The same for the console. */
  says?: Says | undefined
  steps: CheckStep[]
  /** Where the credential itself says it, epoch milliseconds. */
  credentialExpiresAt: number | null
}

/** The report of a test that could not even begin. */
export function failedReport(
  at: number,
  code: 'CREATE_JOB_FAILED' | 'SERVER_ERROR',
  reason: string,
  says?: Says,
): ConnectionReport {
  return { at, ok: false, reason, code, says, steps: [], credentialExpiresAt: null }
}

export function reportOf(
  at: number,
  steps: CheckStep[],
  credentialExpiresAt: number | null,
): ConnectionReport {
  const failed = steps.find(({ result }) => result === 'failed')
  const reason = failed ? [failed.message, failed.advice].filter(Boolean).join('; ') : ''
  return {
    at,
    ok: !failed,
    reason,
    code: failed ? 'REQUEST_API_ERROR' : null,
    says: failed?.says,
    steps,
    credentialExpiresAt,
  }
}

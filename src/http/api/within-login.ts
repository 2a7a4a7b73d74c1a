import type { Principal } from '../../accounts/principal.ts'
import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'

/**
 * When something ends that is made on the strength of a sign-in: a token that soon expires is no way
 * to one that never does.
 * @param wanted epoch milliseconds; null: never
 * @throws AppError denied
 */
export function withinLogin({ login }: Principal, wanted: number | null): number | null {
  const limit = login?.expiresAt ?? null
  if (limit === null || wanted === null) return wanted ?? limit
  if (wanted <= limit) return wanted
  throw new AppError('denied', 'the new token may not outlive what you signed in with', {
    field: 'expiresAt',
    ...because('outlives_login', {}),
  })
}

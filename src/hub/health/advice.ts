import type { Endpoint } from '../../client/provider.ts'
import { isAppError } from '../../lib/errors.ts'
import { because, type Reason } from '../../lib/reasons.ts'
import type { CheckStep, CheckStepName } from './report.ts'

/** The step of a test at which a first contact ended so. */
export function stepOfFailure(error: unknown): CheckStepName {
  if (isAppError(error, 'address_refused')) return 'resolve'
  if (!isAppError(error, 'remote_unreachable')) return 'challenge'
  const problem = String(error.details.problem)
  if (problem === 'name') return 'resolve'
  if (problem === 'tls' || problem.startsWith('certificate_')) return 'tls'
  return problem === 'not_http' ? 'challenge' : 'connect'
}

/** Of problems of the connection and of answers; their sentences say what is wrong already. */
const ADVICE: Record<string, (endpoint: Endpoint) => string> = {
  refused: () => 'check the port, and that the registry runs',
  unreachable: () =>
    'check the address, and the routes and firewalls on the way; a runner near it can help',
  timeout: () => 'check firewalls on the way; a runner near the registry can help',
  certificate_expired: () => 'renew the certificate of the registry',
  certificate_not_yet_valid: () => 'check the clocks of the registry and of this server',
  certificate_name: () => 'use a name that stands in the certificate as the address',
  tls: () => 'try http:// if the registry has no TLS',
  login: ({ provider }) =>
    provider === 'dockerhub'
      ? 'check user and password; accounts with two factors need an access token as the password'
      : 'check user and password; the password may have been changed or have expired',
  anonymous: () => 'give a user and a password',
  permission: () => 'give the account the right to it in the registry, or use another account',
  overloaded: () => 'wait, or use an account with a higher limit',
  paused: () => 'wait a moment and test again',
  absent: () => 'check that the address is that of a registry, without the path of a web page',
  realm: () => 'its login server is on a host that is not trusted with the password',
}

export function adviceFor(error: unknown, endpoint: Endpoint): string {
  if (!isAppError(error)) return ''
  return ADVICE[String(error.details.problem)]?.(endpoint) ?? ''
}

/** Of the same problems, what the console has words for. */
const SAYS: Record<string, Reason> = {
  login: 'check_login_refused',
  anonymous: 'check_login_refused',
  permission: 'check_no_permission',
  overloaded: 'check_overloaded',
  paused: 'check_overloaded',
  absent: 'check_no_registry',
}

export function reasonOf(error: unknown): CheckStep['says'] {
  if (!isAppError(error)) return because('check_unforeseen', {}).reason
  if (error.code === 'address_refused') return because('check_address_refused', {}).reason
  // These say what to do besides.
  const name = SAYS[String(error.details.problem)]
  return name ? { name, params: {} } : error.details.reason
}

/** For people; only our own errors are known to have nothing secret in them. */
export function sentenceOf(error: unknown): string {
  return isAppError(error) ? error.message : 'the test failed in an unforeseen way; see the log'
}

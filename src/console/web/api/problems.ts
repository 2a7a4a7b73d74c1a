/*
 * What failures of `/api/v1` are called. `http/console/api-types.test.ts` compares these with the
 * server's tables, and the texts of both languages have one for each: a new one that is said in no
 * language does not compile.
 */

export type ErrorCode =
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
  | 'unauthenticated'
  | 'insufficient_scope'
  | 'denied'
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
  | 'rate_limited'
  | 'storage_full'
  | 'read_only'
  | 'unavailable'
  | 'internal'
  | 'address_refused'
  | 'remote_unreachable'
  | 'remote_denied'
  | 'remote_error'

/** What the browser itself says besides. */
export type OwnErrorCode = 'unreachable' | 'wrong_credentials'

/** What exactly is wrong, with what stands in the sentence. */
export interface Reasons {
  name_taken: { name: string }
  name_invalid: { name: string }
  name_reserved: { name: string }
  alias_taken: { name: string }
  too_many_of_these: { most: number }
  changed_meanwhile: { name: string }
  expiry_past: Record<never, never>
  last_administrator: Record<never, never>
  password_wrong: Record<never, never>
  password_same: Record<never, never>
  password_weak: Record<never, never>
  sign_in_wrong: Record<never, never>
  sign_in_paused: { seconds: number }
  session_ended: Record<never, never>
  email_invalid: Record<never, never>
  project_unknown: { name: string }
  project_not_empty: { name: string; repository: string }
  quota_exceeded: { name: string; left: number; quota: number; needed: number }
  tag_immutable: { name: string }
  tag_unknown: { name: string }
  registry_in_use: { name: string }
  registry_is_default: { name: string }
  remote_name: { host: string }
  remote_refused: { host: string }
  remote_unreachable: { host: string }
  remote_timeout: { host: string }
  remote_closed: { host: string }
  remote_tls: { host: string }
  remote_certificate_expired: { host: string }
  remote_certificate_not_yet_valid: { host: string }
  remote_certificate_untrusted: { host: string }
  remote_certificate_name: { host: string }
  remote_certificate_authority: { host: string }
  remote_not_http: { host: string }
  remote_absent: { host: string }
  remote_failed: { host: string; status: number }
  remote_limits: { host: string }
  remote_login_refused: { host: string }
  remote_no_permission: { host: string }
  remote_other_login_server: Record<never, never>
  remote_rejects: { host: string; status: number }
  remote_too_large: { host: string }
  remote_unsupported: { host: string }
  remote_wants_login: { host: string }
  registry_address_invalid: Record<never, never>
  registry_name_reserved: { name: string }
  registry_secret_again: Record<never, never>
  registry_region_missing: Record<never, never>
  /** Of the steps of a test of a connection. */
  check_address_refused: Record<never, never>
  check_anonymous: Record<never, never>
  check_answers: { host: string }
  check_certificate_good: Record<never, never>
  check_clock_off: { seconds: number }
  check_clock_unknown: Record<never, never>
  check_clocks_agree: Record<never, never>
  check_has_address: { host: string }
  check_listed: Record<never, never>
  check_logged_in: { name: string }
  check_may_not_push: Record<never, never>
  check_may_pull: { repository: string }
  check_may_push: { repository: string }
  check_no_limit: Record<never, never>
  check_no_repository: Record<never, never>
  check_not_listed: Record<never, never>
  check_not_reached: Record<never, never>
  check_not_verified: Record<never, never>
  check_nothing_to_pull: Record<never, never>
  check_plain_http: Record<never, never>
  check_reads_freely: Record<never, never>
  check_requests_left: { remaining: number }
  check_wants_some_login: Record<never, never>
  check_wants_login: { schemes: string }
  check_login_refused: Record<never, never>
  check_no_permission: Record<never, never>
  check_overloaded: Record<never, never>
  check_no_registry: Record<never, never>
  role_missing: { name: string; role: string }
  administrators_only: Record<never, never>
}

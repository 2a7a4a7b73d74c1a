/**
 * Sentences that people meet often, with what stands in them, so that the console can say them in
 * the reader's language. The English one stays the message of the error; see `because`.
 */
export interface Reasons {
  /** A person, robot, token, key, project or registry of this name is there already. */
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
  /** Bytes. */
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
  registry_address_invalid: Record<never, never>
  registry_name_reserved: { name: string }
  registry_secret_again: Record<never, never>
  registry_region_missing: Record<never, never>
  role_missing: { name: string; role: string }
  administrators_only: Record<never, never>
}

export type Reason = keyof Reasons

/** For the details of an error. */
export function because<R extends Reason>(name: R, params: Reasons[R]) {
  return { reason: { name, params } }
}

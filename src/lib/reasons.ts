/**
 * Sentences that people meet often, with what stands in them, so that the console can say them in
 * the reader's language. The English one stays the message of the error; see `because`. The console
 * reads this file too: it has a text for each of them, or does not compile.
 */
type Nothing = Record<never, never>

/** Of a registry of others; `said`: its own words, which are in any language. */
interface OfHost {
  host: string
  said?: string
}

export interface Reasons {
  /** A person, robot, token, key, project or registry of this name is there already. */
  name_taken: { name: string }
  name_invalid: { name: string }
  name_reserved: { name: string }
  alias_taken: { name: string }
  too_many_of_these: { most: number }
  changed_meanwhile: { name: string }
  expiry_past: Nothing
  last_administrator: Nothing
  password_wrong: Nothing
  password_same: Nothing
  password_weak: Nothing
  sign_in_wrong: Nothing
  sign_in_paused: { seconds: number }
  session_ended: Nothing
  email_invalid: Nothing
  project_unknown: { name: string }
  project_not_empty: { name: string; repository: string }
  /** Bytes. */
  quota_exceeded: { name: string; left: number; quota: number; needed: number }
  tag_immutable: { name: string }
  tag_unknown: { name: string }
  registry_in_use: { name: string }
  registry_is_default: { name: string }
  remote_name: OfHost
  remote_refused: OfHost
  remote_unreachable: OfHost
  remote_timeout: OfHost
  remote_closed: OfHost
  remote_tls: OfHost
  remote_certificate_expired: OfHost
  remote_certificate_not_yet_valid: OfHost
  remote_certificate_untrusted: OfHost
  remote_certificate_name: OfHost
  remote_certificate_authority: OfHost
  remote_not_http: OfHost
  remote_absent: OfHost
  remote_failed: OfHost & { status: number }
  remote_limits: OfHost
  remote_login_refused: OfHost
  remote_no_permission: OfHost
  remote_other_login_server: Nothing
  remote_rejects: OfHost & { status: number }
  remote_too_large: OfHost
  remote_unsupported: OfHost
  remote_wants_login: OfHost
  remote_answer_wrong: Nothing
  remote_content_wrong: Nothing
  remote_not_offered: Nothing
  remote_paused: { host: string; seconds: number }
  remote_wait: { host: string; seconds: number }
  remote_unlisted: { host: string }
  remote_list_changed: Nothing
  remote_manifest_absent: { name: string; reference: string }
  registry_address_invalid: Nothing
  registry_name_reserved: { name: string }
  registry_secret_again: Nothing
  registry_region_missing: Nothing
  registry_namespace_invalid: Nothing
  registry_region_invalid: Nothing
  registry_key_colon: Nothing
  registry_certificate_invalid: Nothing
  registry_certificate_private: Nothing
  registry_cron_invalid: Nothing
  registry_time_zone_invalid: Nothing
  registry_default_by_runner: { name: string }
  registry_successor_unknown: Nothing
  registry_unknown: { name: string; project: string }
  registry_ambiguous: { name: string; project: string }
  registry_is_self: { name: string }
  registry_default_elsewhere: { project: string }
  registry_default_missing: Nothing
  registry_gone: Nothing
  registry_only_by_runner: { name: string; registry: string }
  /** Of the steps of a test of a connection. */
  check_address_refused: Nothing
  check_anonymous: Nothing
  check_answers: { host: string }
  check_certificate_good: Nothing
  check_clock_off: { seconds: number }
  check_clock_unknown: Nothing
  check_clocks_agree: Nothing
  check_has_address: { host: string }
  check_listed: Nothing
  check_logged_in: { name: string }
  check_may_not_push: Nothing
  check_may_pull: { repository: string }
  check_may_push: { repository: string }
  check_no_limit: Nothing
  check_no_repository: Nothing
  check_not_listed: Nothing
  check_not_reached: Nothing
  check_not_verified: Nothing
  check_nothing_to_pull: Nothing
  check_plain_http: Nothing
  check_reads_freely: Nothing
  check_requests_left: { remaining: number }
  check_wants_some_login: Nothing
  check_wants_login: { schemes: string }
  check_login_refused: Nothing
  check_no_permission: Nothing
  check_overloaded: Nothing
  check_no_registry: Nothing
  check_too_long: { seconds: number }
  check_unforeseen: Nothing
  /** Of runners. */
  runner_id_invalid: Nothing
  runner_id_reserved: { name: string }
  runner_taken: { name: string }
  runner_unknown: { name: string }
  runner_not_enrolled: { name: string }
  runner_revoked: { name: string }
  runner_moved: { name: string }
  runner_silent: { name: string }
  runner_slow: { name: string; seconds: number }
  runner_given_up: { name: string }
  runner_other_project: { name: string }
  runner_new_key: { name: string }
  runner_told_too_much: Nothing
  runner_too_old: Nothing
  runner_other_registries: { name: string }
  runner_password_elsewhere: Nothing
  runner_in_use: { name: string; registries: string }
  /** Of transfers, and what they note. */
  transfer_same_place: Nothing
  transfer_only_by_runner: { name: string; registry: string }
  transfer_not_yours: { name: string }
  transfer_over: Nothing
  transfer_tag_taken: { name: string; where: string }
  transfer_incomplete: { name: string }
  transfer_not_arrived: { name: string }
  transfer_untold: Nothing
  transfer_project_gone: Nothing
  transfer_job_ended: Nothing
  platform_invalid: { name: string }
  platform_missing: { name: string; known: string }
  note_index_rewritten: Nothing
  note_tag_deleted: { name: string; where: string }
  note_tag_moved: { name: string; where: string }
  note_too_deep: { most: number }
  /** Of names. */
  account_name_invalid: { most: number }
  account_unknown: { name: string }
  alias_invalid: Nothing
  digest_invalid: { name: string }
  image_name_invalid: { name: string }
  image_needs_tag: { name: string }
  quota_invalid: Nothing
  repository_name_invalid: { name: string }
  tag_invalid: { name: string }
  robot_not_admin: { name: string }
  robot_elsewhere: { name: string }
  outlives_login: Nothing
  /** Of single fields, as the schemas of the routes find them. */
  field_at_least: { least: number }
  field_at_most: { most: number }
  field_control: Nothing
  field_empty: Nothing
  field_invalid: Nothing
  field_many: { most: number }
  field_one_of: { values: string }
  field_required: Nothing
  field_short: { least: number }
  field_long: { most: number }
  field_unknown: Nothing
  role_missing: { name: string; role: string }
  administrators_only: Nothing
  /** Of jobs. */
  job_lost: Nothing
}

export type Reason = keyof Reasons

/** A reason as it is stored and sent; a runner of another version may know others. */
export interface Says {
  name: string
  params: Record<string, string | number>
}

/** For the details of an error. */
export function because<R extends Reason>(name: R, params: Reasons[R]): { reason: Says } {
  return { reason: { name, params: { ...params } } }
}

import type { ErrorCode } from '../../../../lib/error-code.ts'
import type { Reason } from '../../../../lib/reasons.ts'

/** The browser itself says two besides. */
type Code = ErrorCode | 'unreachable' | 'wrong_credentials'

const errors = {
  address_refused: 'This address may not be asked',
  blob_unknown: 'There is no such blob',
  conflict: 'It conflicts with what is there',
  denied: 'You may not do this',
  digest_invalid: 'The digest is not valid',
  digest_mismatch: 'The content is not what was announced',
  immutable: 'It is protected',
  in_use: 'It is in use',
  insufficient_scope: 'The token is not for this',
  internal: 'Something went wrong',
  invalid_input: 'Something is not right yet',
  manifest_blob_unknown: 'A layer or config of it is missing',
  manifest_invalid: 'The manifest is not valid',
  manifest_too_large: 'The manifest is too large',
  manifest_unknown: 'There is no such artifact',
  method_unsupported: 'This is not possible here',
  name_invalid: 'The name is not valid',
  not_found: 'It is not there',
  precondition_failed: 'It was changed meanwhile; load the page again',
  project_unknown: 'There is no such project',
  quota_exceeded: 'The quota is used up',
  range_invalid: 'The range is not valid',
  rate_limited: 'Too many tries',
  read_only: 'Only reading is possible now',
  remote_denied: 'The other registry refuses',
  remote_error: 'The other registry failed',
  remote_unreachable: 'The other registry cannot be reached',
  repository_unknown: 'There is no such repository',
  size_invalid: 'The size is not right',
  storage_full: 'The storage is full',
  too_large: 'It is too large',
  unauthenticated: 'Sign in to see this',
  unavailable: 'Not available now',
  unreachable: 'The server cannot be reached',
  upload_invalid: 'The upload did not arrive whole',
  upload_range_invalid: 'The range is not valid',
  upload_unknown: 'There is no such upload',
  wrong_credentials: 'You could not be signed in',
} satisfies Record<Code, string>

export const problems = {
  errors: errors as Record<Code, string>,
  problem: {
    answered: 'It answered: “{{said}}”',
    original: 'As the server says it',
    requestId: 'Request',
    saidSo: 'The server says:',
  },
  /** The server's own sentences are in English already. */
  reasons: {} as Partial<Record<Reason, string>>,
}

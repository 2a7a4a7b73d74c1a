/**
 * Every failure that a caller may see. The status and the form on the wire are not known here:
 * each face has one table from these codes to its own (`http/<face>/errors.ts`). The console reads
 * this file too, so it holds nothing but types.
 */
export type ErrorCode =
  // what was sent is wrong
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
  // who asks
  | 'unauthenticated'
  | 'insufficient_scope'
  | 'denied'
  // what is there
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
  // what the server can do now
  | 'rate_limited'
  | 'storage_full'
  | 'read_only'
  | 'unavailable'
  | 'internal'
  // what other servers do, in the client to other registries
  | 'address_refused'
  | 'remote_unreachable'
  | 'remote_denied'
  | 'remote_error'

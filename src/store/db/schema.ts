import type { Generated, Insertable, Selectable } from 'kysely'

/*
 * The rows, as both engines hold them. Times are epoch milliseconds, sizes bytes, booleans 0 or 1,
 * JSON is text. Rows that can be put into the trash carry `TrashColumns`; their names are unique
 * among the live ones only.
 */

export type Flag = 0 | 1

interface TrashColumns {
  state: Generated<'live' | 'trashed'>
  trashed_at: number | null
  trashed_by: number | null
  trash_reason: string | null
}

/** A user or a robot. `version` is the ETag of an update; it changes with every one. */
export interface AccountTable {
  id: Generated<number>
  kind: 'user' | 'robot'
  /** `alice`; of a robot `<project>+<name>`, or `system+<name>`. */
  name: string
  display_name: Generated<string>
  email: string | null
  /** System administrator. Never a robot. */
  is_admin: Generated<Flag>
  disabled: Generated<Flag>
  /** The project a robot belongs to; null for users and robots of the system. */
  project: number | null
  /** Tokens that were issued before this time are void. */
  valid_after: Generated<number>
  /** After this time the account cannot sign in; null: never. */
  expires_at: number | null
  created_at: number
  updated_at: number
  version: Generated<number>
}

/** A password (argon2id, of people) or a generated secret (sha256, of robots). */
export interface CredentialTable {
  id: Generated<number>
  account: number
  kind: 'password' | 'secret'
  hash: string
  created_at: number
  /** Set on the old one during a rotation with overlap. */
  expires_at: number | null
}

export interface ApiTokenTable {
  id: Generated<number>
  account: number
  name: string
  hash: string
  created_at: number
  expires_at: number | null
  last_used_at: number | null
}

export interface RefreshTokenTable {
  id: Generated<number>
  account: number
  hash: string
  service: string
  created_at: number
  expires_at: number
}

export interface SigningKeyTable {
  kid: string
  /** JWK, JSON. */
  public_key: string
  /** JWK, sealed (JWE compact). */
  private_key: string
  created_at: number
  /** Signs no more after this time, still verifies. */
  retired_at: number | null
}

/** Failed sign-ins, by account name and by address, in a sliding window. */
export interface LoginFailureTable {
  key: string
  failures: number
  window_start: number
  blocked_until: number
}

export type Role = 'guest' | 'developer' | 'maintainer' | 'admin'

export interface MemberTable {
  project: number
  account: number
  role: Role
  created_at: number
}

export interface ProjectTable extends TrashColumns {
  id: Generated<number>
  name: string
  kind: Generated<'local' | 'proxy'>
  is_public: Flag
  /** Bytes of unique content, manifests included; -1 for no limit. */
  quota: Generated<number>
  description: Generated<string>
  created_by: number | null
  created_at: number
  updated_at: number
  version: Generated<number>
}

/** The folded part of a project's use; the rest stands in `usage_delta`. */
export interface ProjectUsageTable {
  project: number
  logical_bytes: Generated<number>
  unique_bytes: Generated<number>
  repository_count: Generated<number>
}

export interface RepositoryTable extends TrashColumns {
  id: Generated<number>
  project: number
  /** The path below the project. */
  name: string
  summary: Generated<string>
  description: Generated<string>
  created_by: number | null
  created_at: number
  updated_at: number
  version: Generated<number>
  /** Folded counters; the rest stands in `usage_delta`. */
  logical_bytes: Generated<number>
  manifest_count: Generated<number>
  tag_count: Generated<number>
  /** Manifests that are listed. */
  artifact_count: Generated<number>
}

/** What a transaction changed, appended instead of updating a row that all pushes would share. */
export interface UsageDeltaTable {
  id: Generated<number>
  project: number
  repository: number
  logical_bytes: number
  unique_bytes: number
  manifest_count: number
  tag_count: number
  artifact_count: number
  repository_count: Generated<number>
}

/** One row per stored bytes. `storage_key` null: the bytes stand in `content_body`. */
export interface ContentTable {
  id: Generated<number>
  /** Hex, without the algorithm. */
  sha256: string
  size: number
  storage_key: string | null
  state: Generated<'live' | 'deleting' | 'gone'>
  state_at: number
  created_at: number
}

/** Bytes of small blobs and of all manifests. */
export interface ContentBodyTable {
  content: number
  bytes: Uint8Array
}

/** The quota ledger: how many rows of a project's repositories hold this content. */
export interface ProjectContentTable {
  project: number
  content: number
  links: number
}

/** Visibility of a blob, by the digest as it was pushed. */
export interface RepositoryBlobTable {
  repository: number
  digest: string
  content: number
  /** Since when no manifest of the repository refers to it; null while one does. */
  unreferenced_since: number | null
  created_at: number
}

export interface ManifestTable extends TrashColumns {
  id: Generated<number>
  repository: number
  digest: string
  content: number
  media_type: string
  artifact_type: string | null
  kind: 'image' | 'index'
  size: number
  /** Digest of the manifest that this one refers to. */
  subject: string | null
  /** JSON object, as the referrers API shows it. */
  annotations: string | null
  /** Since when no tag points at it; null while one does. */
  untagged_since: number | null
  pushed_by: number | null
  created_at: number
  config_media_type: string | null
  /** Of an image with its config and layers; of an index only its own. */
  image_size: Generated<number>
  /** `ImageDetails`, JSON. */
  details: string | null
  /** Shown as an artifact of its own: no part of an index, no signature, no other referrer. */
  listed: Generated<Flag>
  pulled_at: number | null
}

/** An edge, by digest: the child may be a manifest, a blob (BuildKit cache) or not be there yet. */
export interface ManifestRefTable {
  repository: number
  parent: number
  position: number
  child: string
  kind: 'config' | 'layer' | 'manifest' | 'subject'
  /** The descriptor, JSON. */
  descriptor: string
}

export interface TagTable {
  id: Generated<number>
  repository: number
  name: string
  manifest: number
  immutable: Generated<Flag>
  /** Made by a tool to attach something (`sha256-….sig`), not by a person. */
  accessory: Generated<Flag>
  pulled_at: number | null
  pushed_by: number | null
  created_at: number
  updated_at: number
}

/** A manifest that is a Helm chart, as its archive says; shown while its version's tag points at it. */
export interface ChartVersionTable {
  manifest: number
  project: number
  repository: number
  /** The tag of its version, while that points at this manifest; null: not shown. */
  tag: number | null
  /** The path between project and chart; empty: none. */
  folder: string
  /** Of the chart: the last part of the repository's name. */
  name: string
  version: string
  /** Sorts by bytes as semver sorts versions. */
  version_key: string
  /** `<name>-<version>.tgz`; cannot be split again. */
  file_name: string
  /** A number from the digest: the sum of all tells one state of an index from another. */
  stamp: number
  created_at: number
  archive_digest: string
  archive_size: number
  provenance_digest: string | null
  entry_size: number
  /** Its entry in `index.yaml`: one line of JSON, of characters that YAML takes too. */
  entry: string
}

export interface TagHistoryTable {
  id: Generated<number>
  repository: number
  name: string
  old_digest: string | null
  new_digest: string | null
  actor: number | null
  at: number
  reason: string
}

/** An upload session. It holds names only: project and repository may not exist yet. */
export interface UploadTable {
  id: string
  project_name: string
  repository_name: string
  account: number | null
  /** discarded: only the stored bytes still have to be removed. */
  state: Generated<'open' | 'discarded'>
  /** Raised by whoever takes the session over; a writer with an older one has lost it. */
  epoch: Generated<number>
  writer: string | null
  writer_until: Generated<number>
  /** Bytes that are safely stored. */
  offset: Generated<number>
  algorithm: Generated<string>
  /** Of the first `offset` bytes, of the session's algorithm; null: must be read again. */
  prefix_digest: string | null
  /** sha256 of the first `offset` bytes, which names the content whatever the algorithm. */
  prefix_sha256: string | null
  storage_key: string
  /** What the driver needs to go on, such as the parts of a multipart upload. */
  storage_state: string | null
  /** The bytes themselves while they are few. */
  buffer: Uint8Array | null
  created_at: number
  updated_at: number
}

export interface JobTable {
  id: Generated<number>
  name: string
  payload: string
  state: Generated<'queued' | 'running' | 'done' | 'failed' | 'cancelled'>
  /** Higher first. */
  priority: Generated<number>
  run_at: number
  attempts: Generated<number>
  max_attempts: number
  /** At most one queued or running job with this key. */
  unique_key: string | null
  lease_owner: string | null
  lease_until: number | null
  cancel_requested: Generated<Flag>
  progress: string | null
  error: string | null
  created_at: number
  started_at: number | null
  finished_at: number | null
}

/** When a cron schedule fires next; whoever moves the time forward enqueues the job. */
export interface JobScheduleTable {
  name: string
  cron: string
  time_zone: string
  next_at: number
}

export interface AuditTable {
  id: Generated<number>
  at: number
  account: number | null
  account_name: string
  action: string
  project: number | null
  resource: string
  address: string
  request_id: string
  details: string
}

export interface SettingTable {
  key: string
  value: string
}

export interface Schema {
  account: AccountTable
  credential: CredentialTable
  api_token: ApiTokenTable
  refresh_token: RefreshTokenTable
  signing_key: SigningKeyTable
  login_failure: LoginFailureTable
  member: MemberTable
  project: ProjectTable
  project_usage: ProjectUsageTable
  repository: RepositoryTable
  usage_delta: UsageDeltaTable
  content: ContentTable
  content_body: ContentBodyTable
  project_content: ProjectContentTable
  repository_blob: RepositoryBlobTable
  manifest: ManifestTable
  manifest_ref: ManifestRefTable
  tag: TagTable
  chart_version: ChartVersionTable
  tag_history: TagHistoryTable
  upload: UploadTable
  job: JobTable
  job_schedule: JobScheduleTable
  audit: AuditTable
  setting: SettingTable
}

export type Row<T extends keyof Schema> = Selectable<Schema[T]>
export type NewRow<T extends keyof Schema> = Insertable<Schema[T]>

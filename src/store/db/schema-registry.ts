import type { Generated } from 'kysely'
import type { Flag, TrashColumns } from './schema-columns.ts'

/* Our own registry: projects, repositories, content and what makes it visible. */

export interface ProjectTable extends TrashColumns {
  id: Generated<number>
  name: string
  /** Another id, from elsewhere, that scripts carry; unique among the live ones. */
  alias: string | null
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

/** What a project used and did on one day (UTC); project 0 is all of them together. */
export interface UsageTable {
  project: number
  /** Days since 1970. */
  day: number
  /** As measured last on that day; null: nobody measured. */
  logical_bytes: number | null
  unique_bytes: number | null
  /** Of all projects only. */
  physical_bytes: number | null
  pushes: Generated<number>
  pulls: Generated<number>
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
  /** Of the hashes up to `offset`, where the store is far away; null: not kept. */
  hash_state: string | null
  /** The bytes themselves while they are few. */
  buffer: Uint8Array | null
  created_at: number
  updated_at: number
}

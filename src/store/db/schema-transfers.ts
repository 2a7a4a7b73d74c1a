import type { Generated } from 'kysely'

/* Images that are copied from one registry to another, ours or others. */

export interface TransferTable {
  id: Generated<number>
  /** Whose scope the registries were checked against; those who may see it may see the transfer. */
  project: number
  /** null: our own. Not a foreign key: what was done stays told when the registry is gone. */
  source_registry: string | null
  /** As it was called then; `self` for our own. */
  source_name: string
  source_repository: string
  /** Tag or digest. */
  source_reference: string
  target_registry: string | null
  target_name: string
  target_repository: string
  /** null: by digest alone. */
  target_tag: string | null
  /** JSON: see `TransferOptions`. */
  options: string
  requested_by: number
  requested_by_name: string
  state: Generated<'queued' | 'running' | 'done' | 'failed' | 'cancelled'>
  /** The job that does it, or did. */
  job: number | null
  /** Names the run that may write here; a former one that is still alive changes nothing. */
  run: string | null
  /** What a tag of the source stood for when it was first looked at. */
  digest: string | null
  manifests: Generated<number>
  /** JSON: a bounded list of blobs, for people. */
  blobs: Generated<string>
  blobs_total: Generated<number>
  blobs_done: Generated<number>
  bytes_total: Generated<number>
  bytes_sent: Generated<number>
  bytes_skipped: Generated<number>
  bytes_mounted: Generated<number>
  /** Bytes per second, lately. */
  speed: Generated<number>
  /** JSON: sentences on what was left out. */
  notes: Generated<string>
  /** JSON: the same for the console, in that order. */
  note_says: Generated<string>
  /** JWE: what the next run goes on with. Open uploads are capabilities. */
  checkpoint: string | null
  /** A sentence; of the last run that failed. */
  error: string | null
  error_code: string | null
  /** JSON: the same for the console. */
  error_says: string | null
  /** Runs that failed in a row without a byte getting through. */
  failures: Generated<number>
  /** When a queued one is tried again; null: as soon as may be. */
  waits_until: number | null
  created_at: number
  started_at: number | null
  finished_at: number | null
  updated_at: number
}

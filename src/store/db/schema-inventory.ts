import type { Generated } from 'kysely'
import type { Flag } from './schema-columns.ts'

/* What there is in the registries of others, as it was when they were last read. */

/** A tag of a repository of a registry, and what it stands for. */
export interface RegistryImageTable {
  id: Generated<number>
  registry: string
  /** In full, as the registry calls it. */
  repository: string
  /** Its first part; empty where there is but one. */
  namespace: string
  /** The rest of it. */
  image_name: string
  tag: string
  digest: string
  media_type: string
  /** Bytes of config and layers; of an index those of all its images. */
  size: number
  /** An index with images for several platforms. */
  is_multiarch: Flag
  /** JSON: `linux/amd64`, … */
  platforms: string
  /** JSON: of an index its images, see `ImageChild`; attestations are no images. */
  children: string
  /** The youngest of its repository. */
  latest_version: Generated<Flag>
  /** When the tag was pushed, where the registry's own API tells. */
  pushed_at: number | null
  /** When it was pushed; otherwise when it was made as far as it tells, or first seen. */
  updated_at: number
  first_seen_at: number
  /** When it was seen last. */
  synced_at: number
  /** The sync that saw it last. */
  sync: number
  /** Since when the registry has it no more; the next sync forgets it. */
  gone_at: number | null
}

/** A repository of a registry; the rows are also how far a sync is. */
export interface RegistryRepositoryTable {
  registry: string
  repository: string
  /** The sync that found it in the registry's list last. */
  listed_by: number
  /** The sync that was last through with it, well or not. */
  done_by: number | null
  /** Why the last sync did not get all of it; null: it did. */
  error: string | null
  /** Tells its state as the registry listed it last; null: the registry does not tell. */
  mark: string | null
  /** That of the listing after which all of it was read; equal to `mark`: nothing changed since. */
  read_mark: string | null
  /** How many were there when it was last looked at. */
  images: Generated<number>
}

/**
 * The tags of a repository as text, in which a search looks: many times fewer rows than tags. What
 * is there stands in it; what went may still, until the repository is settled.
 */
export interface RegistryTagsTable {
  id: Generated<number>
  registry: string
  repository: string
  /** Tags in this part. */
  count: number
  /** In small letters, one on each line. */
  tags: string
}

/** One reading of one registry. */
export interface ImageSyncTable {
  id: Generated<number>
  /** Hex digits that those have in common which were asked for together. */
  task: string
  registry: string
  trigger: 'manual' | 'daily' | 'cron' | 'change'
  state: Generated<'queued' | 'running' | 'done' | 'partial' | 'failed'>
  job: number | null
  /** Names the run that may write here. */
  run: string | null
  /** The registry was changed meanwhile: another one follows. */
  again: Generated<Flag>
  /** When all repositories had been listed; null: not yet. */
  listed_at: number | null
  repositories_total: Generated<number>
  repositories_done: Generated<number>
  /** Of those that are done. */
  repositories_failed: Generated<number>
  images: Generated<number>
  /** Manifests that had to be fetched. */
  manifests_read: Generated<number>
  /** Why it was read by `/v2` and not by the registry's own API; null: it was not. */
  note: string | null
  /** JSON, as the others: the same for the console. */
  note_says: string | null
  /** Why the list of repositories has gaps; null: it has none. */
  list_error: string | null
  list_error_says: string | null
  /** JSON: the first of the failures, `{repository, reason}`. */
  reasons: Generated<string>
  /** A sentence; of what ended it, or held it up. */
  error: string | null
  error_says: string | null
  error_code: 'CREATE_JOB_FAILED' | 'REQUEST_API_ERROR' | 'SERVER_ERROR' | null
  /** Pauses in a row without a repository getting done. */
  pauses: Generated<number>
  requested_by: number | null
  created_at: number
  started_at: number | null
  finished_at: number | null
}

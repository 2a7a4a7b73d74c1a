import type { Generated } from 'kysely'
import type { Flag } from './schema-columns.ts'

/* Registries of others: where they are, as whom one comes, who may use them and who does. */

/** What is known of a registry since the last test of its connection. */
export type RegistryHealth = 'unknown' | 'checking' | 'ok' | 'failing'

export interface RegistryTable {
  /** Counts up with every one that is made: lists are in this order. */
  seq: Generated<number>
  /** 24 hex digits; the name under which everything else refers to it. */
  id: string
  /** For people; unique among those whose projects overlap. Never `self`, which is our own. */
  name: string
  /** One of `PROVIDER_NAMES`. */
  provider: string
  /** With scheme, without a slash at the end: `https://harbor.example.com:8443`. */
  address: string
  region: Generated<string>
  namespace: Generated<string>
  access_key: Generated<string>
  /** JWE; null: none. With `runner_key` it is to that key and nobody here can open it. */
  sealed_secret: string | null
  /** Id of the runner's key that alone opens `sealed_secret`; null: the server's own. */
  runner_key: string | null
  secret_changed_at: number | null
  verify_tls: Generated<Flag>
  /** PEM; when given, the only roots that are trusted. */
  ca_certificate: string | null
  /** For every project, also those that are made later; otherwise see `registry_project`. */
  all_projects: Generated<Flag>
  notes: Generated<string>
  origin: 'zadig' | 'api' | 'console' | 'hss'
  /** May become the default without being promoted by somebody. */
  electable: Flag
  /** A system administrator named this very host and port, so it may be on a private address. */
  private_allowed: Generated<Flag>
  enterprise_project_id: Generated<string>
  /** The runner that carries the work; `local`: this installation itself. */
  connect_cluster_id: Generated<string>
  scan_image_channel: Generated<'Swr' | 'Other'>
  scan_namespace: Generated<string>
  api_version: Generated<'V1' | 'V2'>
  health: Generated<RegistryHealth>
  /** For people; empty when there is nothing to say. */
  health_reason: Generated<string>
  /** JSON: the same for the console, where it has words for it. */
  health_says: string | null
  health_code: 'CREATE_JOB_FAILED' | 'REQUEST_API_ERROR' | 'SERVER_ERROR' | null
  /** JSON: the steps of the last test. */
  health_steps: Generated<string>
  checked_at: number | null
  last_success_at: number | null
  /** Where the provider tells it; null: not known or never. */
  credential_expires_at: number | null
  images_num: Generated<number>
  latest_sync_at: number | null
  /** null: only the daily one. */
  sync_cron: string | null
  /** In which `sync_cron` is meant: `UTC`, `Asia/Shanghai`. */
  sync_time_zone: Generated<string>
  created_by: number | null
  created_at: number
  updated_at: number
  /** Changes when somebody changes the record; not by tests and syncs. */
  version: Generated<number>
}

/** The projects that may use a registry which is not for all. */
export interface RegistryProjectTable {
  registry: string
  project: number
}

/** One row, there from the first migration. Whoever changes registries locks it first. */
export interface RegistryDefaultTable {
  id: 1
  registry: string | null
}

/** Who was handed the means to use a registry, and when last. */
export interface ConsumerTable {
  id: Generated<number>
  registry: string
  project: number
  /** `build`, `deploy`, … */
  purpose: string
  /** Cluster or environment; empty: none was named. */
  environment: Generated<string>
  account: number | null
  first_fetched_at: number
  last_fetched_at: number
  /** `secret_changed_at` of the registry as it was handed out; an older one must be refreshed. */
  secret_changed_at: number | null
}

/** A limit of a registry: how many requests it puts up with at once, of all processes together. */
export interface PlacePoolTable {
  /** A hash of the registry's address and login name, and the kind of requests. */
  key: string
  /** 0, or until when it wants none. */
  paused_until: Generated<number>
}

/** How many of the places a process has. */
export interface PlaceLeaseTable {
  pool: string
  /** Random, from its start. */
  process: string
  granted: number
  wants_more: Flag
  lease_until: number
}

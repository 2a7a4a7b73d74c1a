import type { Generated } from 'kysely'

/* Programs that speak to registries which the hub cannot reach, and the work that waits for them. */

export interface RunnerTable {
  /** Counts up with every one that is made: lists are in this order. */
  seq: Generated<number>
  /** 1 to 64 characters; what `connect_cluster_id` of a registry names. Never `local`. */
  id: string
  /** For people. */
  name: string
  /** The one project whose registries it may serve; null: all. */
  project: number | null
  state: Generated<'invited' | 'enrolled' | 'revoked'>
  /** JWK, to which secrets are encrypted; null: not enrolled yet. */
  public_key: string | null
  /** Thumbprint of the key (RFC 7638); registries name it in `runner_key`. */
  key_id: string | null
  /** How many keys it has had. */
  key_epoch: Generated<number>
  /** Of its program, as it says. */
  version: Generated<string>
  last_seen_at: number | null
  created_by: number | null
  created_at: number
  enrolled_at: number | null
  revoked_at: number | null
}

/** What a runner comes with; two while one follows the other. */
export interface RunnerCredentialTable {
  id: Generated<number>
  runner: string
  /** sha256, hex. */
  hash: string
  created_at: number
  /** When it came first; those before it are forgotten then. */
  first_used_at: number | null
}

/** A token that makes a program a runner, once. */
export interface RunnerEnrolmentTable {
  /** sha256, hex. */
  hash: string
  runner: string
  created_at: number
  expires_at: number
  used_at: number | null
  /** Hash of the credential that it was used for: the same program may ask again. */
  used_by: string | null
}

/** Work that one runner alone can do. */
export interface RunnerTaskTable {
  id: Generated<number>
  runner: string
  registry: string
  /** See `TASK_KINDS`. */
  kind: string
  /** JSON, without anything secret. */
  payload: string
  /** Who asks for the same again waits for the same. */
  unique_key: string
  state: Generated<'queued' | 'leased' | 'done'>
  /** Counts leases; what a former one still says is not heard. */
  epoch: Generated<number>
  lease_until: number | null
  /** Names and images that were told of it by who has the lease. */
  entries: Generated<number>
  /** JSON: how far it is. */
  progress: string | null
  /** JSON: how it ended. */
  result: string | null
  /** Renewed by whoever waits for it; later nobody does, and it is forgotten. */
  wanted_until: number
  created_at: number
  finished_at: number | null
}

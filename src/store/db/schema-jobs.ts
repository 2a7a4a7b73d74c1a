import type { Generated } from 'kysely'
import type { Flag } from './schema-columns.ts'

/* Work in the background, the audit, and what the installation remembers of itself. */

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
  /** What `error` says, for the console: see `lib/stored-says.ts`. */
  error_says: string | null
  created_at: number
  started_at: number | null
  finished_at: number | null
  /** When it last changed, as far as people see it. */
  updated_at: Generated<number>
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

/* What `/api/v1` answers of registries of others; compared with the routes as `types.ts` is. */

import type { Says } from '../../../lib/reasons.ts'

export type Provider =
  | 'acr'
  | 'acr-enterprise'
  | 'tcr'
  | 'tcr-enterprise'
  | 'swr'
  | 'ecr'
  | 'gar'
  | 'dockerhub'
  | 'harbor'
  | 'nexus'
  | 'jfrog'
  | 'native'
  | 'azure'
  | 'quay'
  | 'ghcr'
  | 'gitlab'

export type Health = 'unknown' | 'checking' | 'ok' | 'failing'

export interface Registry {
  id: string
  name: string
  provider: Provider
  address: string
  region: string
  namespace: string
  /** null: not for this reader. */
  accessKey: string | null
  hasSecret: boolean
  secretChangedAt: number | null
  verifyTls: boolean
  caCertificate: string | null
  isDefault: boolean
  /** null: all, also later ones. */
  projects: string[] | null
  notes: string
  health: Health
  healthReason: string
  /** The same in a form that can be translated. */
  healthSays?: Says | undefined
  checkedAt: number | null
  lastSuccessAt: number | null
  credentialExpiresAt: number | null
  imageCount: number
  latestSyncAt: number | null
  /** Five cron fields; null: only every day. */
  syncCron: string | null
  syncTimeZone: string
  createdAt: number
  updatedAt: number
  version: number
}

export type CheckStepName =
  | 'resolve'
  | 'connect'
  | 'tls'
  | 'challenge'
  | 'login'
  | 'namespace'
  | 'pull'
  | 'push'
  | 'clock'
  | 'rateLimit'

export interface CheckStep {
  step: CheckStepName
  result: 'ok' | 'warning' | 'failed' | 'skipped'
  ms: number | null
  message: string
  advice: string
  /** The same in a form that can be translated. */
  says?: Says | undefined
}

export interface ConnectionReport {
  at: number
  ok: boolean
  reason: string
  says?: Says | undefined
  steps: CheckStep[]
  credentialExpiresAt: number | null
}

export interface RegistryUse {
  kind: 'consumer' | 'transfer' | 'replication' | 'proxy'
  id: string
  what: string
  project: string | null
  purpose: string | null
  environment: string | null
  lastUsedAt: number | null
  outdated: boolean
}

export interface BrowsedNames {
  items: { name: string }[]
  next: string | null
  complete: boolean
}

export interface RemoteImage {
  digest: string
  mediaType: string
  artifactType: string | null
  size: number
  createdAt: number | null
  platforms: string[]
  isIndex: boolean
  images: { digest: string; platform: string; size: number }[]
}

export type TransferState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled'

export interface BlobProgress {
  digest: string
  size: number
  state: 'waiting' | 'running' | 'sent' | 'skipped' | 'mounted'
  bytes: number
}

interface TransferEnd {
  /** null: Entrepot itself. */
  registry: string | null
  name: string
  repository: string
}

export interface Transfer {
  id: number
  project: string
  source: TransferEnd & { reference: string }
  target: TransferEnd & { tag: string | null }
  platforms: string[] | null
  index: 'keep' | 'rewrite'
  referrers: boolean
  overwrite: boolean
  requestedBy: string
  state: TransferState
  digest: string | null
  manifests: number
  blobs: { total: number; done: number; shown: BlobProgress[] }
  bytes: { total: number; sent: number; skipped: number; mounted: number }
  /** Bytes per second. */
  speed: number
  notes: string[]
  noteSays: Says[]
  error: { code: string; message: string; says?: Says | undefined } | null
  waitsUntil: number | null
  createdAt: number
  startedAt: number | null
  finishedAt: number | null
}

/** Of a list that was counted: where there is very much, not to its end. */
export interface Counted {
  total: number
  totalIs: 'exact' | 'about' | 'atLeast'
}

export interface RegistryImage {
  id: number
  registry: { id: string; name: string }
  repository: string
  namespace: string
  tag: string
  digest: string
  mediaType: string
  size: number
  platforms: string[]
  children: { digest: string; platform: string; size: number }[]
  isLatest: boolean
  updatedAt: number
  pushedAt: number | null
  firstSeenAt: number
  syncedAt: number
  goneAt: number | null
}

export type SyncState = 'queued' | 'running' | 'done' | 'partial' | 'failed'

export interface ImageSync {
  id: number
  state: SyncState
  trigger: 'manual' | 'daily' | 'cron' | 'change'
  repositoriesTotal: number
  repositoriesDone: number
  repositoriesFailed: number
  images: number
  manifestsRead: number
  failures: { repository: string; reason: string; says?: Says | undefined }[]
  error: string | null
  errorSays?: Says | undefined
  errorCode: 'CREATE_JOB_FAILED' | 'REQUEST_API_ERROR' | 'SERVER_ERROR' | null
  note: string | null
  noteSays?: Says | undefined
  createdAt: number
  startedAt: number | null
  finishedAt: number | null
}

export type Purpose = 'build' | 'deploy' | 'distribute' | 'update'

export interface Handout {
  registry: { id: string; name: string; host: string }
  image: string | null
  login: { server: string; username: string; expiresAt: number | null } | null
  pullSecret: object | null
  refresher: { expiresAt: number; cronJob: string; credentialProvider: string } | null
  shell: { env: string; login: string }
}

export interface Trust {
  hosts: { host: string; plainHttp: boolean; insecure: boolean }[]
  clients: {
    client: 'docker' | 'containerd' | 'podman' | 'buildkit'
    files: { path: string; content: string; merge: boolean }[]
    apply: { action: 'none' | 'reload' | 'restart'; what: string }
  }[]
}

export type RunnerState = 'invited' | 'online' | 'away' | 'revoked'

export interface Runner {
  id: string
  name: string
  /** null: it serves all. */
  project: string | null
  state: RunnerState
  keyId: string | null
  keyEpoch: number
  version: string
  lastSeenAt: number | null
  createdAt: number
  enrolledAt: number | null
  revokedAt: number | null
  registryCount: number
  tasksWaiting: number
  tasksRunning: number
}

export interface RunnerInvitation {
  token: string
  expiresAt: number
}

export interface CreatedRunner extends RunnerInvitation {
  runner: Runner
}

/* What `/api/v1` answers of registries of others; compared with the routes as `types.ts` is. */

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
  checkedAt: number | null
  lastSuccessAt: number | null
  credentialExpiresAt: number | null
  imageCount: number
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
}

export interface ConnectionReport {
  at: number
  ok: boolean
  reason: string
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

export interface Transfer {
  id: number
  state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled'
  bytes: { total: number; sent: number; skipped: number; mounted: number }
  speed: number
  notes: string[]
  error: { code: string; message: string } | null
  waitsUntil: number | null
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

/*
 * What `/api/v1` answers, as far as the console reads it. `http/console/api-types.test.ts` compares
 * these with the schemas of the routes: a difference does not compile.
 */

import type { Says } from '../../../lib/reasons.ts'

export interface Page<T> {
  items: T[]
  next: string | null
}

export type Role = 'guest' | 'developer' | 'maintainer' | 'admin'

export interface Account {
  id: number
  kind: 'user' | 'robot'
  name: string
  displayName: string
  email: string | null
  admin: boolean
}

export interface Session {
  account: Account | null
  csrfToken: string | null
  expiresAt: number | null
  mayCreateProjects: boolean
  hasGeneratedPassword: boolean
}

interface Usage {
  logicalBytes: number
  uniqueBytes: number
}

interface ProjectFields {
  id: number
  name: string
  public: boolean
  quota: number
  description: string
  createdAt: number
  updatedAt: number
  version: number
  usage: Usage
}

export interface ListedProject extends ProjectFields {
  repositoryCount: number
}

export interface Project extends ProjectFields {
  role: Role | null
}

export interface Overview {
  projects: number
  repositories: number
  tags: number
  logicalBytes: number
  uniqueBytes: number
  physicalBytes: number | null
  largest: LargeProject[]
  registries: RegistryHealthCounts | null
  runners: { online: number; away: number; other: number } | null
  jobs: { running: number; queued: number; failed: number } | null
}

export interface RegistryHealthCounts {
  ok: number
  failing: number
  unknown: number
  failures: { id: string; name: string }[]
}

/** A day of UTC; null: not measured then. */
export interface UsageDay {
  at: number
  logicalBytes: number | null
  uniqueBytes: number | null
  physicalBytes: number | null
  pushes: number
  pulls: number
}

export interface Found {
  kind: 'project' | 'repository' | 'chart'
  id: number
  project: string
  repository: string | null
  summary: string
}

export interface AccessKey {
  id: number
  name: string
  accessKey: string
  disabled: boolean
  createdAt: number
  expiresAt: number | null
  lastUsedAt: number | null
}

export interface CreatedAccessKey extends AccessKey {
  secretKey: string
}

export interface LargeProject {
  id: number
  name: string
  public: boolean
  quota: number
  uniqueBytes: number
  repositoryCount: number
}

export interface Repository {
  id: number
  project: string
  name: string
  summary: string
  description: string
  logicalBytes: number
  artifactCount: number
  tagCount: number
  createdAt: number
  updatedAt: number
  version: number
}

export interface ArtifactPart {
  digest: string
  mediaType: string
  platform: string | null
  totalSize: number | null
  attests: string | null
}

export interface Attached {
  artifactType: string
  count: number
}

export interface ArtifactSummary {
  id: number
  digest: string
  mediaType: string
  artifactType: string | null
  configMediaType: string | null
  kind: 'image' | 'index'
  size: number
  totalSize: number
  subject: string | null
  annotations: Record<string, string> | null
  platform: string | null
  created: string | null
  parts: ArtifactPart[]
  attached: Attached[]
  pulledAt: number | null
}

export interface ListedArtifact extends ArtifactSummary {
  /** The first ones. */
  tags: string[]
  tagCount: number
  pushedAt: number
  pushedBy: string | null
}

export interface Artifact extends ListedArtifact {
  parents: string[]
}

export interface Tag {
  id: number
  name: string
  digest: string
  mediaType: string
  immutable: boolean
  createdAt: number
  updatedAt: number
  pushedBy: string | null
  pulledAt: number | null
}

export interface ListedTag extends Tag {
  artifact: ArtifactSummary
}

export interface ManifestText {
  digest: string
  mediaType: string
  manifest: string
  config: string | null
}

export interface Referrer {
  digest: string
  mediaType: string
  artifactType: string
  size: number
  annotations: Record<string, string> | null
  tag: string | null
}

export interface ListedChart {
  version: string
  digest: string
  fileName: string
  archiveDigest: string
  archiveSize: number
  signed: boolean
  createdAt: number
  appVersion: string | null
  description: string | null
  deprecated: boolean
}

export interface Chart extends ListedChart {
  metadata: Record<string, unknown>
  readme: string | null
  values: string | null
}

export interface Member {
  account: number
  kind: 'user' | 'robot'
  name: string
  displayName: string
  role: Role
  createdAt: number
}

export interface Robot {
  id: number
  name: string
  project: number | null
  description: string
  disabled: boolean
  expiresAt: number | null
  roles: { project: number; role: 'guest' | 'developer' | 'maintainer' }[]
  createdAt: number
  updatedAt: number
  version: number
}

export interface CreatedRobot extends Robot {
  secret: string
}

export interface User {
  id: number
  name: string
  displayName: string
  email: string | null
  admin: boolean
  disabled: boolean
  expiresAt: number | null
  createdAt: number
  updatedAt: number
  version: number
}

export interface ApiToken {
  id: number
  name: string
  createdAt: number
  expiresAt: number | null
  lastUsedAt: number | null
}

export interface CreatedApiToken extends ApiToken {
  token: string
}

export interface AuditEntry {
  id: number
  at: number
  account: number | null
  accountName: string
  action: string
  project: number | null
  resource: string
  address: string
  requestId: string
  details: Record<string, string | number | boolean | null>
}

export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled'

export interface Job {
  id: number
  name: string
  state: JobState
  priority: 'high' | 'normal' | 'low'
  payload: unknown
  progress: unknown
  error: string | null
  errorSays?: Says | undefined
  attempts: number
  maxAttempts: number
  cancelRequested: boolean
  runAt: number
  createdAt: number
  startedAt: number | null
  finishedAt: number | null
}

export interface TagMove {
  id: number
  oldDigest: string | null
  newDigest: string | null
  actor: string | null
  at: number
  reason: string
}

import { PROVIDER_NAMES, type ProviderName } from '../../client/provider.ts'
import type { Says } from '../../lib/reasons.ts'
import { saysOf } from '../../lib/stored-says.ts'
import type { Row } from '../../store/db/schema.ts'
import type { RegistryHealth } from '../../store/db/schema-hub.ts'

/** What pipelines and transfers call Entrepot itself; never a record. */
export const SELF = 'self'

/** An integrated registry. Its secret is not in here: see `open`. */
export interface RegistryRecord {
  /** 24 hex digits. */
  id: string
  /** Place in the order of creation. */
  seq: number
  name: string
  provider: ProviderName
  /** As it was written: see `spokenAddress`. */
  address: string
  /** Empty where the provider has none. */
  region: string
  namespace: string
  /** Empty: anonymous. */
  accessKey: string
  hasSecret: boolean
  /** Id of the runner's key that alone opens the secret; null: the server opens it. */
  runnerKey: string | null
  secretChangedAt: number | null
  verifyTls: boolean
  /** PEM; null: the roots of the system. */
  caCertificate: string | null
  isDefault: boolean
  /** May become the default without somebody promoting it. */
  electable: boolean
  /** For every project, also later ones. */
  allProjects: boolean
  /** Otherwise for these, by name; of those that whoever asked may know. */
  projects: { id: number; name: string }[]
  notes: string
  origin: Row<'registry'>['origin']
  /** A system administrator named this host and port: it may be at a private address. */
  privateAllowed: boolean
  enterpriseProjectId: string
  connectClusterId: string
  scanImageChannel: 'Swr' | 'Other'
  scanNamespace: string
  apiVersion: 'V1' | 'V2'
  health: RegistryHealth
  healthReason: string
  /** The same for the console. */
  healthSays: Says | undefined
  healthCode: Row<'registry'>['health_code']
  /** Of the last test, as its writer knows them. */
  healthSteps: unknown[]
  checkedAt: number | null
  lastSuccessAt: number | null
  credentialExpiresAt: number | null
  imagesNum: number
  latestSyncAt: number | null
  syncCron: string | null
  /** In which `syncCron` is meant. */
  syncTimeZone: string
  createdBy: number | null
  createdAt: number
  updatedAt: number
  version: number
}

/** A row of `recordQuery`: one for each project of a registry, or one without. */
type RecordRow = Row<'registry'> & {
  default_registry: string | null
  project_id: number | null
  project_name: string | null
}

/** The records of rows that stand together. */
export function recordsOf(rows: readonly RecordRow[]): RegistryRecord[] {
  const records = new Map<string, RegistryRecord>()
  for (const row of rows) {
    const record = records.get(row.id) ?? recordOf(row)
    records.set(row.id, record)
    if (row.project_id !== null && row.project_name !== null) {
      record.projects.push({ id: row.project_id, name: row.project_name })
    }
  }
  return [...records.values()]
}

function recordOf(row: RecordRow): RegistryRecord {
  return {
    id: row.id,
    seq: row.seq,
    name: row.name,
    provider: providerOf(row.provider),
    address: row.address,
    region: row.region,
    namespace: row.namespace,
    accessKey: row.access_key,
    hasSecret: row.sealed_secret !== null,
    runnerKey: row.runner_key,
    secretChangedAt: row.secret_changed_at,
    verifyTls: row.verify_tls === 1,
    caCertificate: row.ca_certificate,
    isDefault: row.default_registry === row.id,
    electable: row.electable === 1,
    allProjects: row.all_projects === 1,
    projects: [],
    notes: row.notes,
    origin: row.origin,
    privateAllowed: row.private_allowed === 1,
    enterpriseProjectId: row.enterprise_project_id,
    connectClusterId: row.connect_cluster_id,
    scanImageChannel: row.scan_image_channel,
    scanNamespace: row.scan_namespace,
    apiVersion: row.api_version,
    health: row.health,
    healthReason: row.health_reason,
    healthSays: saysOf(row.health_reason, row.health_says),
    healthCode: row.health_code,
    healthSteps: JSON.parse(row.health_steps) as unknown[],
    checkedAt: row.checked_at,
    lastSuccessAt: row.last_success_at,
    credentialExpiresAt: row.credential_expires_at,
    imagesNum: row.images_num,
    latestSyncAt: row.latest_sync_at,
    syncCron: row.sync_cron,
    syncTimeZone: row.sync_time_zone,
    createdBy: row.created_by,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    version: row.version,
  }
}

/** What stands in the rows was checked when it was written. */
function providerOf(text: string): ProviderName {
  return PROVIDER_NAMES.find((name) => name === text) ?? 'native'
}

import { PROVIDER_NAMES, type ProviderName } from '../../client/provider.ts'
import type { RegistryFilter } from '../../hub/registries/list.ts'
import type { RegistryRecord } from '../../hub/registries/record.ts'
import type { Project } from '../../registry/projects.ts'
import type { Row } from '../../store/db/schema.ts'
import { ALL_ENTERPRISE_PROJECTS } from './input.ts'

/* How the hub's records look in HSS, and what its filters mean to the hub. */

export const TYPES = [
  'SwrPrivate',
  'SwrShared',
  'SwrEnterprise',
  'Harbor',
  'Jfrog',
  'Other',
] as const
type RegistryType = (typeof TYPES)[number]

export const STATUSES = ['success', 'fail', 'accessing'] as const
export const HEALTH: Record<(typeof STATUSES)[number], readonly Row<'registry'>['health'][]> = {
  success: ['ok'],
  fail: ['failing'],
  accessing: ['unknown', 'checking'],
}

export function filterOf(
  project: Project,
  query: {
    enterprise_project_id: string
    registry_name?: string | undefined
    registry_id?: string | undefined
    registry_type?: string[] | undefined
    registry_addr?: string | undefined
    status?: (typeof STATUSES)[number] | undefined
  },
): RegistryFilter {
  const { enterprise_project_id: eps, registry_type: types, status } = query
  return {
    project: project.id,
    enterpriseProjectId: eps === ALL_ENTERPRISE_PROJECTS ? undefined : eps,
    name: query.registry_name,
    id: query.registry_id,
    providers: types && PROVIDER_NAMES.filter((provider) => types.includes(typeOf(provider))),
    // As addresses are kept.
    host: query.registry_addr?.replace(/^[^/]*/, (host) => host.toLowerCase()).replace(/\/+$/, ''),
    health: status && HEALTH[status],
  }
}

export function typeOf(provider: ProviderName): RegistryType {
  if (provider === 'harbor') return 'Harbor'
  if (provider === 'jfrog') return 'Jfrog'
  return provider === 'swr' ? 'SwrPrivate' : 'Other'
}

export function partsOf(address: string): { protocol: string; address: string } {
  const at = address.indexOf('://')
  return { protocol: address.slice(0, at), address: address.slice(at + 3) }
}

/** A RegistryInfo of the vendor. */
export function viewOf(record: RegistryRecord) {
  const { protocol, address } = partsOf(record.address)
  const status = STATUSES.find((name) => HEALTH[name].includes(record.health))
  return {
    id: record.id,
    registry_name: record.name,
    registry_type: typeOf(record.provider),
    api_version: record.apiVersion,
    protocol,
    registry_addr: address,
    registry_username: record.accessKey,
    ...(record.scanImageChannel === 'Other' ? { namespace: record.scanNamespace } : {}),
    connect_cluster_id: record.connectClusterId,
    get_scan_image_channel: record.scanImageChannel,
    status,
    ...(status === 'fail' ? { fail_reason: record.healthCode ?? 'SERVER_ERROR' } : {}),
    // Not the vendor's: why, for people.
    ...(record.healthReason === '' ? {} : { fail_detail: record.healthReason }),
    images_num: record.imagesNum,
    ...(record.latestSyncAt === null ? {} : { latest_sync_time: record.latestSyncAt }),
  }
}

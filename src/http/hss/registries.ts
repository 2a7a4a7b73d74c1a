import { z } from 'zod'
import type { Authorizer } from '../../accounts/authorize.ts'
import type { Principal } from '../../accounts/principal.ts'
import type { ProviderName } from '../../client/provider.ts'
import { PROVIDER_NAMES } from '../../client/provider.ts'
import type { RegistryFilter } from '../../hub/registries/list.ts'
import type { RegistryRecord } from '../../hub/registries/record.ts'
import { requestCheck } from '../../hub/registries/request-check.ts'
import type { RegistrySettings } from '../../hub/registries/settings.ts'
import { AppError, isAppError } from '../../lib/errors.ts'
import type { Project } from '../../registry/projects.ts'
import type { Row } from '../../store/db/schema.ts'
import type { HssDeps } from './hss.ts'
import {
  ALL_ENTERPRISE_PROJECTS,
  asFields,
  enterpriseProject,
  listOf,
  oneEnterpriseProject,
  oneOf,
  paging,
  text,
} from './input.ts'
import { type Change, type Endpoint, endpoint, route } from './route.ts'

/*
 * The registry family. The records are the hub's: what is added here is seen by every face, and the
 * other way round.
 */

const TYPES = ['SwrPrivate', 'SwrShared', 'SwrEnterprise', 'Harbor', 'Jfrog', 'Other'] as const
type RegistryType = (typeof TYPES)[number]

const STATUSES = ['success', 'fail', 'accessing'] as const
const HEALTH: Record<(typeof STATUSES)[number], readonly Row<'registry'>['health'][]> = {
  success: ['ok'],
  fail: ['failing'],
  accessing: ['unknown', 'checking'],
}

const ADDABLE: Record<'Harbor' | 'Jfrog', ProviderName> = { Harbor: 'harbor', Jfrog: 'jfrog' }

/** Fields that are set at any time. */
const settings = {
  api_version: oneOf(['V1', 'V2']),
  protocol: oneOf(['http', 'https']),
  registry_addr: text(1, 256).refine((address) => !address.includes('://'), {
    error:
      'be a host or IP address with an optional port, without a scheme: harbor.example.com:8443',
  }),
  registry_username: text(1, 128),
  registry_password: text(1, 128),
  connect_cluster_id: text(1, 64),
  get_scan_image_channel: oneOf(['Swr', 'Other']),
}
const namespace = text(1, 128).optional()
const id = text(1, 64)

const optional = <T extends Record<string, z.ZodType>>(shape: T) =>
  z.object(shape).partial().shape as { [K in keyof T]: z.ZodOptional<T[K]> }

export const registryRoutes = {
  add: route({
    name: 'AddRegistry',
    method: 'POST',
    path: '/image/registries',
    permission: 'project-registry:manage',
    query: { enterprise_project_id: oneEnterpriseProject },
    body: {
      registry_name: text(1, 128),
      registry_type: oneOf(['Harbor', 'Jfrog']),
      ...settings,
      namespace,
    },
  }),
  list: route({
    name: 'ListRegistry',
    method: 'GET',
    path: '/image/registries',
    permission: 'project-registry:read',
    query: {
      enterprise_project_id: enterpriseProject,
      ...paging,
      registry_name: text(1, 128).optional(),
      registry_id: id.optional(),
      registry_type: listOf(TYPES).optional(),
      registry_addr: text(1, 256).optional(),
      status: oneOf(STATUSES).optional(),
    },
  }),
  statistics: route({
    name: 'ListRegistryStatistics',
    method: 'GET',
    path: '/image/registries/statistics',
    permission: 'project-registry:read',
    query: {
      enterprise_project_id: enterpriseProject,
      registry_type: listOf(TYPES).optional(),
    },
  }),
  removeMany: route({
    name: 'BatchDeleteRegistry',
    method: 'POST',
    path: '/image/registries/batch-delete',
    permission: 'project-registry:manage',
    query: { enterprise_project_id: oneEnterpriseProject },
    body: {
      ids: z
        .array(id, { error: 'be a list of 1 to 100 ids' })
        .min(1, 'be a list of 1 to 100 ids')
        .max(100, 'be a list of 1 to 100 ids'),
    },
  }),
  update: route({
    name: 'UpdateRegistry',
    method: 'PUT',
    path: '/image/registries/{id}',
    permission: 'project-registry:manage',
    params: { id },
    query: { enterprise_project_id: oneEnterpriseProject },
    body: { ...optional(settings), namespace },
  }),
  remove: route({
    name: 'DeleteRegistry',
    method: 'DELETE',
    path: '/image/registries/{id}',
    permission: 'project-registry:manage',
    params: { id },
    query: { enterprise_project_id: oneEnterpriseProject },
  }),
}

/** The names of the domain and those of the fields. */
const FIELDS = {
  name: 'registry_name',
  provider: 'registry_type',
  address: 'registry_addr',
  accessKey: 'registry_username',
  secret: 'registry_password',
  scanNamespace: 'namespace',
  connectClusterId: 'connect_cluster_id',
  enterpriseProjectId: 'enterprise_project_id',
}

export function registryEndpoints({ accounts, registries, queue, clusters }: HssDeps): Endpoint[] {
  const { authorizer } = accounts

  async function demandCluster(asked: string | undefined): Promise<void> {
    if (asked === undefined) return
    const known = await clusters()
    if (known.includes(asked)) return
    throw new AppError(
      'invalid_input',
      `connect_cluster_id must be one of ${known.join(', ')}: no other cluster has joined`,
    )
  }

  /** One that this project sees, and that the caller may change. */
  async function changeable(
    principal: Principal,
    project: Project,
    asked: string,
    enterpriseProjectId: string,
  ): Promise<RegistryRecord> {
    const [record] = await registries.list({ id: asked, project: project.id, enterpriseProjectId })
    if (!record) throw new AppError('not_found', `id "${asked}" is no registry of this project`)
    await demandChange(authorizer, principal, record)
    return record
  }

  async function remove(record: RegistryRecord, audit: Audit): Promise<void> {
    try {
      await registries.remove(record.id, { version: record.version }, (tx, { name }) =>
        audit(tx, { action: 'registry.delete', resource: name }),
      )
    } catch (error) {
      // The default needs a successor, which this API has no field for: a refusal, not a wrong value.
      if (!isAppError(error, 'invalid_input')) throw error
      throw new AppError('in_use', error.message, {}, error)
    }
  }

  return [
    endpoint(registryRoutes.add, async ({ principal, project, query, body, audit }) => {
      demandNamespace(body.get_scan_image_channel, body.namespace)
      await demandCluster(body.connect_cluster_id)
      const input = {
        ...settingsOf(body),
        name: body.registry_name,
        provider: ADDABLE[body.registry_type],
        address: `${body.protocol}://${body.registry_addr}`,
        projects: [project.id],
        enterpriseProjectId: query.enterprise_project_id,
        origin: 'hss' as const,
        createdBy: principal.account,
      }
      const options = { mayUsePrivate: principal.isAdmin }
      await asFields(FIELDS, () =>
        registries.create(input, options, async (tx, record) => {
          await requestCheck(queue, tx, record)
          await audit(tx, {
            action: 'registry.create',
            resource: record.name,
            details: toldOf(record),
          })
        }),
      )
      return undefined
    }),

    endpoint(registryRoutes.list, async ({ project, query }) => {
      const filter = filterOf(project, query)
      const { offset, limit } = query
      const [records, total] = await Promise.all([
        registries.list({ ...filter, offset, limit }),
        registries.count(filter),
      ])
      return { data_list: records.map(viewOf), total_num: total }
    }),

    endpoint(registryRoutes.statistics, async ({ project, query }) => {
      const filter = filterOf(project, query)
      const [success, fail] = await Promise.all([
        registries.count({ ...filter, health: HEALTH.success }),
        registries.count({ ...filter, health: HEALTH.fail }),
      ])
      return { success_num: success, fail_num: fail }
    }),

    endpoint(registryRoutes.removeMany, async ({ principal, project, query, body, audit }) => {
      const eps = query.enterprise_project_id
      const found: RegistryRecord[] = []
      for (const one of new Set(body.ids)) {
        found.push(await changeable(principal, project, one, eps))
      }
      for (const record of found) await remove(record, audit)
      return undefined
    }),

    endpoint(registryRoutes.update, async ({ principal, project, params, query, body, audit }) => {
      const eps = query.enterprise_project_id
      const previous = await changeable(principal, project, params.id, eps)
      const channel = body.get_scan_image_channel ?? previous.scanImageChannel
      demandNamespace(channel, body.namespace ?? (previous.scanNamespace || undefined))
      await demandCluster(body.connect_cluster_id)
      const at = partsOf(previous.address)
      const address = `${body.protocol ?? at.protocol}://${body.registry_addr ?? at.address}`
      const moves = body.protocol !== undefined || body.registry_addr !== undefined
      const change = { ...settingsOf(body), ...(moves ? { address } : {}) }
      const options = { mayUsePrivate: principal.isAdmin, version: previous.version }
      await asFields(FIELDS, () =>
        registries.update(previous.id, change, options, async (tx, { registry }) => {
          await requestCheck(queue, tx, registry)
          const details = {
            ...toldOf(registry),
            previousAddress: previous.address,
            secretChanged: body.registry_password !== undefined,
          }
          await audit(tx, { action: 'registry.update', resource: registry.name, details })
        }),
      )
      return undefined
    }),

    endpoint(registryRoutes.remove, async ({ principal, project, params, query, audit }) => {
      const eps = query.enterprise_project_id
      await remove(await changeable(principal, project, params.id, eps), audit)
      return undefined
    }),
  ]
}

type Audit = (
  tx: Parameters<Parameters<Endpoint['run']>[0]['audit']>[0],
  change: Change,
) => Promise<void>

/** What several projects share takes the right in each of them; what all share, an administrator. */
async function demandChange(
  authorizer: Authorizer,
  principal: Principal,
  { allProjects, projects }: RegistryRecord,
): Promise<void> {
  if (allProjects) {
    await authorizer.demand(principal, 'registry:manage', { kind: 'system' })
    return
  }
  for (const { id: project, name } of projects) {
    await authorizer.demand(principal, 'project-registry:manage', {
      kind: 'project',
      project: { id: project, name, isPublic: false },
    })
  }
}

function demandNamespace(channel: 'Swr' | 'Other', given: string | undefined): void {
  if (channel !== 'Other' || given !== undefined) return
  throw new AppError(
    'invalid_input',
    'namespace is missing: it must name the project for the scan components when get_scan_image_channel is Other',
  )
}

/** The settings that were sent, but for the address. */
function settingsOf(body: {
  api_version?: 'V1' | 'V2' | undefined
  registry_username?: string | undefined
  registry_password?: string | undefined
  namespace?: string | undefined
  connect_cluster_id?: string | undefined
  get_scan_image_channel?: 'Swr' | 'Other' | undefined
}): Partial<RegistrySettings> {
  return {
    apiVersion: body.api_version,
    accessKey: body.registry_username,
    secret: body.registry_password,
    scanNamespace: body.namespace,
    connectClusterId: body.connect_cluster_id,
    scanImageChannel: body.get_scan_image_channel,
  }
}

function filterOf(
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

function typeOf(provider: ProviderName): RegistryType {
  if (provider === 'harbor') return 'Harbor'
  if (provider === 'jfrog') return 'Jfrog'
  return provider === 'swr' ? 'SwrPrivate' : 'Other'
}

function partsOf(address: string): { protocol: string; address: string } {
  const at = address.indexOf('://')
  return { protocol: address.slice(0, at), address: address.slice(at + 3) }
}

/** A RegistryInfo of the vendor. */
function viewOf(record: RegistryRecord) {
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

function toldOf({ provider, address, privateAllowed }: RegistryRecord) {
  return { provider, address, privateAllowed }
}

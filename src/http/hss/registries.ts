import type { Authorizer } from '../../accounts/authorize.ts'
import type { Principal } from '../../accounts/principal.ts'
import type { ProviderName } from '../../client/provider.ts'
import type { RegistryRecord } from '../../hub/registries/record.ts'
import { requestCheck } from '../../hub/registries/request-check.ts'
import type { RegistrySettings } from '../../hub/registries/settings.ts'
import { AppError, isAppError } from '../../lib/errors.ts'
import type { Project } from '../../registry/projects.ts'
import type { HssDeps } from './hss.ts'
import { asFields } from './input.ts'
import { registryRoutes } from './registry-routes.ts'
import { filterOf, HEALTH, partsOf, viewOf } from './registry-view.ts'
import { type Change, type Endpoint, endpoint } from './route.ts'

/*
 * The registry family. The records are the hub's: what is added here is seen by every face, and the
 * other way round.
 */

const ADDABLE: Record<'Harbor' | 'Jfrog', ProviderName> = { Harbor: 'harbor', Jfrog: 'jfrog' }

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

  async function demandCluster(asked: string | undefined, project: Project): Promise<void> {
    if (asked === undefined) return
    const known = await clusters(project.id)
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
      await demandCluster(body.connect_cluster_id, project)
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
      await demandCluster(body.connect_cluster_id, project)
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

function toldOf({ provider, address, privateAllowed }: RegistryRecord) {
  return { provider, address, privateAllowed }
}

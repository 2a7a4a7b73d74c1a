import { z } from 'zod'
import { IMAGE_UPLOAD_COMMAND } from './image-upload-command.ts'
import { enterpriseProject, listOf, oneEnterpriseProject, oneOf, paging, text } from './input.ts'
import { STATUSES, TYPES } from './registry-view.ts'
import { route } from './route.ts'

/* The registry family: what each call takes, with the vendor's limits. */

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
  uploadCommand: IMAGE_UPLOAD_COMMAND,
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

import { z } from 'zod'
import {
  enterpriseProject,
  long,
  oneEnterpriseProject,
  oneOf,
  paging,
  text,
  truth,
  whole,
} from './input.ts'
import { TYPES } from './registry-view.ts'
import { route } from './route.ts'

/* The inventory family: what each call takes, with the vendor's limits. */

const READ = 'project-registry:read'
const MOST_TIME = 4_070_880_000_000
const time = long(2n ** 63n - 1n).optional()
const SCAN_SCOPES = [
  '0',
  '0x7fffffff',
  '0x000f0000',
  '0x0000f000',
  '0x00000f00',
  '0x000000f0',
  '0x0000000f',
]
const scope = z
  .string()
  .refine(
    (value) => SCAN_SCOPES.some((known) => known === value || String(Number(known)) === value),
    {
      error: `be one of ${SCAN_SCOPES.join(', ')}, or that in decimal digits`,
    },
  )
const aRegistry = z.object(
  { registry_id: text(1, 64), registry_type: oneOf(TYPES).optional() },
  { error: 'be a list of objects with a registry_id' },
)

export const inventoryRoutes = {
  images: route({
    name: 'ListRegistryImages',
    method: 'GET',
    path: '/image/registries/images',
    permission: READ,
    query: {
      enterprise_project_id: enterpriseProject,
      offset: paging.offset,
      limit: whole(1, 200).default(10),
      namespace: text(1, 128).optional(),
      image_name: text(1, 128).optional(),
      image_version: text(1, 64).optional(),
      registry_name: text(1, 128).optional(),
      image_type: oneOf([
        'private_image',
        'shared_image',
        'instance_image',
        'harbor',
        'jfrog',
      ]).optional(),
      sort_key: oneOf(['latest_scan_time']).optional(),
      sort_dir: oneOf(['asc', 'desc']).default('asc'),
      latest_version: truth.default(false),
      image_size: whole(0, 2_147_483_547).optional(),
      scan_status: oneOf([
        'unscan',
        'success',
        'scanning',
        'failed',
        'waiting_for_scan',
      ]).optional(),
      start_latest_update_time: time,
      end_latest_update_time: time,
      start_latest_scan_time: time,
      end_latest_scan_time: time,
      start_latest_sync_time: time,
      end_latest_sync_time: time,
      has_malicious_file: truth.optional(),
      has_unsafe_setting: truth.optional(),
      has_vul: truth.optional(),
      risky: truth.optional(),
      instance_id: text(0, 128).optional(),
      instance_name: text(0, 128).optional(),
      is_multarch: truth.optional(),
      severity_level: oneOf(['Security', 'Low', 'Medium', 'High']).optional(),
    },
  }),
  sync: route({
    name: 'CreateImageSynchronizeTask',
    method: 'POST',
    path: '/image/image-sync/tasks',
    permission: 'project-registry:manage',
    query: { enterprise_project_id: oneEnterpriseProject },
    body: {
      sync_all_registries: z.boolean({ error: 'be true or false' }),
      registry_info: z
        .array(aRegistry, { error: 'be a list of objects with a registry_id' })
        .optional(),
    },
  }),
  associated: route({
    name: 'ListAssociateRegistries',
    method: 'GET',
    path: '/image/image-sync/tasks/{task_id}/registries',
    permission: READ,
    params: { task_id: text(1, 64) },
    query: {
      enterprise_project_id: enterpriseProject,
      ...paging,
      registry_name: text(1, 128).optional(),
      registry_type: oneOf(TYPES).optional(),
      sync_status: oneOf(['finished', 'running', 'failed']).optional(),
    },
  }),
  tasks: route({
    name: 'ListImageScanTask',
    method: 'GET',
    path: '/image/tasks',
    permission: READ,
    query: {
      enterprise_project_id: enterpriseProject,
      ...paging,
      type: oneOf(['image_sync', 'image_scan']),
      global_image_type: oneOf(['local', 'registry']).optional(),
      task_type: oneOf(['cycle', 'manual', 'autoSync', 'manualSync']).optional(),
      task_name: text(1, 256).optional(),
      task_id: text(1, 256).optional(),
      create_time: whole(0, MOST_TIME).optional(),
      end_time: whole(0, MOST_TIME).optional(),
      task_status: oneOf(['scanning', 'finished']).optional(),
      scan_scope: scope.optional(),
    },
  }),
  statistics: route({
    name: 'ShowImageAssetStatistics',
    method: 'GET',
    path: '/image/asset/statistics',
    permission: READ,
    query: { enterprise_project_id: enterpriseProject },
  }),
}

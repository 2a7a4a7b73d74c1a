import { findImages, type InventoryImage } from '../../hub/inventory/images.ts'
import { newTask, requestSync } from '../../hub/inventory/request-sync.ts'
import { reasonsOf, type SyncRow } from '../../hub/inventory/sync-rows.ts'
import { listTasks, syncsOfTask } from '../../hub/inventory/tasks.ts'
import type { RegistryRecord } from '../../hub/registries/record.ts'
import { AppError } from '../../lib/errors.ts'
import type { HssDeps } from './hss.ts'
import { inventoryRoutes } from './inventory-routes.ts'
import { filterOf, typeOf } from './registry-view.ts'
import { type Endpoint, endpoint } from './route.ts'

/*
 * The inventory family: what there is in the registries of a project. Nothing is scanned here, so
 * every image is `unscan`, and whoever asks for findings is given none.
 */

const STATUS: Record<SyncRow['state'], 'finished' | 'running' | 'failed'> = {
  queued: 'running',
  running: 'running',
  done: 'finished',
  partial: 'finished',
  failed: 'failed',
}

export function inventoryEndpoints({ db, clock, queue, registries }: HssDeps): Endpoint[] {
  return [
    endpoint(inventoryRoutes.images, async ({ principal, project, query }) => {
      const { enterprise_project_id, registry_name, image_type: type } = query
      const seen = await registries.list(
        filterOf(project, { enterprise_project_id, registry_name }),
      )
      const chosen = asksForFindings(query)
        ? []
        : seen.filter((record) => type === undefined || imageTypeOf(record) === type)
      const byId = new Map(chosen.map((record) => [record.id, record]))
      const filter = {
        registries: [...byId.keys()],
        namespace: query.namespace,
        imageNameHas: query.image_name,
        tag: query.image_version,
        size: query.image_size,
        isLatest: query.latest_version || undefined,
        isMultiarch: query.is_multarch,
        updatedFrom: query.start_latest_update_time,
        updatedTo: query.end_latest_update_time,
        syncedFrom: query.start_latest_sync_time,
        syncedTo: query.end_latest_sync_time,
      }
      const { offset, limit, sort_dir: direction } = query
      const asked = { ...filter, offset, limit, direction }
      const { items, total } = await findImages(db, asked, { by: principal.account })
      return {
        total_num: total,
        data_list: items.flatMap((image) => {
          const record = byId.get(image.registry)
          return record ? [imageView(image, record)] : []
        }),
      }
    }),

    endpoint(inventoryRoutes.sync, async ({ principal, project, query, body, audit }) => {
      const seen = await registries.list(filterOf(project, query))
      const asked = new Set(body.registry_info?.map(({ registry_id }) => registry_id))
      if (!body.sync_all_registries && asked.size === 0) {
        throw new AppError(
          'invalid_input',
          'registry_info is missing: it must name a registry when sync_all_registries is false',
        )
      }
      for (const id of asked) {
        if (seen.some((record) => record.id === id)) continue
        throw new AppError('not_found', `registry_id "${id}" is no registry of this project`)
      }
      const chosen = body.sync_all_registries ? seen : seen.filter(({ id }) => asked.has(id))
      const task = newTask()
      await db.transaction(async (tx) => {
        for (const { id: registry, name } of chosen) {
          const requestedBy = principal.account
          const now = clock()
          const wanted = { registry, trigger: 'manual' as const, task, requestedBy, now }
          const { joined } = await requestSync(queue, tx, wanted)
          if (!joined) await audit(tx, { action: 'registry-sync.create', resource: name })
        }
      })
      return undefined
    }),

    endpoint(inventoryRoutes.associated, async ({ project, params, query }) => {
      const { enterprise_project_id, offset, limit, sync_status: status } = query
      const seen = await registries.list(filterOf(project, { enterprise_project_id }))
      const byId = new Map(seen.map((record) => [record.id, record]))
      const task = params.task_id
      const syncs = await syncsOfTask(db.query, { registries: [...byId.keys()], task })
      if (syncs.length === 0) {
        throw new AppError('not_found', `task_id "${task}" is no task of this project`)
      }
      const views = syncs.flatMap((sync) => {
        const record = byId.get(sync.registry)
        return record ? [syncView(sync, record)] : []
      })
      const fitting = views.filter(
        (view) =>
          (status === undefined || view.sync_status === status) &&
          (query.registry_name === undefined || view.registry_name === query.registry_name) &&
          (query.registry_type === undefined || view.registry_type === query.registry_type),
      )
      return { total_num: fitting.length, data_list: fitting.slice(offset, offset + limit) }
    }),

    endpoint(inventoryRoutes.tasks, async ({ project, query }) => {
      const { type, task_type: kind, task_status: status, offset, limit } = query
      const isOther = kind === 'cycle' || kind === 'manual' || query.global_image_type === 'local'
      if (type === 'image_scan' || isOther) return { total_num: 0, data_list: [] }
      const seen = await registries.list(filterOf(project, query))
      const filter = {
        registries: seen.map(({ id }) => id),
        task: query.task_id,
        nameHas: query.task_name,
        isManual: kind && kind === 'manualSync',
        isOver: status && status === 'finished',
        createdFrom: query.create_time,
        finishedTo: query.end_time,
      }
      const { items, total } = await listTasks(db.query, filter, { offset, limit })
      return {
        total_num: total,
        data_list: items.map((task) => ({
          task_id: task.task,
          task_name: task.name,
          begin_time: task.createdAt,
          ...(task.finishedAt === null ? {} : { end_time: task.finishedAt }),
          task_type: task.isManual ? 'manualSync' : 'autoSync',
          image_type: 'registry',
          task_status: task.finishedAt !== null && task.failed === task.total ? -3 : task.percent,
          success_num: task.images,
          total_num: task.images,
          ...(task.failed > 0
            ? { failed_reason: `${task.failed} of ${task.total} registries failed` }
            : {}),
        })),
      }
    }),

    endpoint(inventoryRoutes.statistics, async ({ project, query }) => {
      const seen = await registries.list(filterOf(project, query))
      const sum = seen.reduce((images, { imagesNum }) => images + imagesNum, 0)
      return { local_num: 0, cicd_num: 0, registry_num: sum }
    }),
  ]
}

/** What no image has that nobody scanned, and no registry that is none of SWR's instances. */
function asksForFindings(query: {
  scan_status?: string | undefined
  start_latest_scan_time?: number | undefined
  end_latest_scan_time?: number | undefined
  has_malicious_file?: boolean | undefined
  has_unsafe_setting?: boolean | undefined
  has_vul?: boolean | undefined
  risky?: boolean | undefined
  severity_level?: string | undefined
  instance_id?: string | undefined
  instance_name?: string | undefined
}): boolean {
  const { scan_status: status } = query
  return (
    (status !== undefined && status !== 'unscan') ||
    query.start_latest_scan_time !== undefined ||
    query.end_latest_scan_time !== undefined ||
    query.has_malicious_file === true ||
    query.has_unsafe_setting === true ||
    query.has_vul === true ||
    query.risky === true ||
    query.severity_level !== undefined ||
    Boolean(query.instance_id) ||
    Boolean(query.instance_name)
  )
}

function imageTypeOf({ provider }: RegistryRecord): 'harbor' | 'jfrog' | 'private_image' {
  return provider === 'harbor' || provider === 'jfrog' ? provider : 'private_image'
}

function imageView(image: InventoryImage, record: RegistryRecord) {
  const named = (digest: string) => ({
    namespace: image.namespace,
    image_name: image.imageName,
    image_id: digest.slice(digest.indexOf(':') + 1),
    image_digest: digest,
    image_version: image.tag,
    image_type: imageTypeOf(record),
    scan_status: 'unscan',
  })
  return {
    id: image.id,
    ...named(image.digest),
    registry_id: record.id,
    registry_name: record.name,
    registry_type: typeOf(record.provider),
    latest_version: image.isLatest,
    image_size: image.size,
    latest_update_time: image.updatedAt,
    latest_sync_time: image.syncedAt,
    scannable: false,
    is_multiple_arch: image.isMultiarch,
    ...(image.children.length === 0
      ? {}
      : { association_images: image.children.map(({ digest }) => named(digest)) }),
  }
}

function syncView(sync: SyncRow, record: RegistryRecord) {
  const [first] = reasonsOf(sync)
  const { repositories_failed: failed, repositories_total: total, error, error_code: code } = sync
  const reasons = [
    code ?? '',
    sync.finished_at === null ? '' : (error ?? ''),
    first ? `${failed} of ${total} repositories, such as ${first.repository}: ${first.reason}` : '',
  ].filter(Boolean)
  return {
    registry_id: record.id,
    registry_name: record.name,
    registry_type: typeOf(record.provider),
    sync_status: STATUS[sync.state],
    ...(reasons.length === 0 ? {} : { failed_reason: reasons.join(': ') }),
  }
}

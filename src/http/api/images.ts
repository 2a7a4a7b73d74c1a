import { z } from '@hono/zod-openapi'
import type { Principal } from '../../accounts/principal.ts'
import type { ImageFilter } from '../../hub/inventory/image-filter.ts'
import { type FoundImages, findImages } from '../../hub/inventory/images.ts'
import { requestSync } from '../../hub/inventory/request-sync.ts'
import { listSyncs, readSync, syncViewOf } from '../../hub/inventory/syncs.ts'
import type { RegistryRecord } from '../../hub/registries/record.ts'
import { registryUnknown } from '../../hub/registries/uses.ts'
import { AppError } from '../../lib/errors.ts'
import type { ApiDeps } from './api.ts'
import { afterInvalid, idAfter, listReply, readPage } from './pages.ts'
import { type Endpoint, endpoint, route } from './route.ts'
import { digest, flag, id, page, pageOf, says, text, time } from './schemas.ts'

/* The images of external registries, as they were when they were last read. */

const params = { registry: z.string().openapi({ example: '69a42bc05f8d3e6b9c0a1d27' }) }
const forAll = { permission: 'registry:read', on: 'system' } as const

const ImageView = z
  .object({
    id,
    registry: z.object({ id: z.string(), name: z.string() }),
    repository: z.string(),
    namespace: z.string().openapi({ description: 'First part of the repository; may be empty' }),
    tag: z.string(),
    digest,
    mediaType: z.string(),
    size: z.int().openapi({ description: 'Bytes of config and layers; of an index those of all' }),
    platforms: z.array(z.string()).openapi({ example: ['linux/amd64'] }),
    children: z
      .array(z.object({ digest, platform: z.string(), size: z.int() }))
      .openapi({ description: 'Of an index its images' }),
    isLatest: z.boolean().openapi({ description: 'The youngest of its repository' }),
    updatedAt: time.openapi({
      description: 'When it was pushed; otherwise when it was made, or first seen',
    }),
    pushedAt: time.nullable().openapi({ description: 'Where the registry tells' }),
    firstSeenAt: time,
    syncedAt: time,
    goneAt: time
      .nullable()
      .openapi({ description: 'Since when the registry has it no more; null: it has it' }),
  })
  .openapi('RegistryImage')

export const SyncView = z
  .object({
    id,
    state: z.enum(['queued', 'running', 'done', 'partial', 'failed']),
    trigger: z.enum(['manual', 'daily', 'cron', 'change']),
    repositoriesTotal: z.int().openapi({ description: '0 until all of them are listed' }),
    repositoriesDone: z.int(),
    repositoriesFailed: z.int(),
    images: z.int(),
    manifestsRead: z.int(),
    failures: z
      .array(z.object({ repository: z.string(), reason: z.string(), says }))
      .openapi({ description: 'The first of them' }),
    error: z.string().nullable(),
    errorSays: says,
    note: z.string().nullable().openapi({
      description: 'Why it was read by `/v2` and not by the API of the registry; null: it was not',
    }),
    noteSays: says,
    errorCode: z.enum(['CREATE_JOB_FAILED', 'REQUEST_API_ERROR', 'SERVER_ERROR']).nullable(),
    createdAt: time,
    startedAt: time.nullable(),
    finishedAt: time.nullable(),
  })
  .openapi('RegistrySync')

/** Of a query. */
const bytes = z
  .string()
  .regex(/^\d{1,15}$/, 'must be a number of bytes')
  .transform(Number)
  .openapi({ type: 'integer', description: 'Bytes' })

const filters = {
  ...page,
  search: text(255).optional().openapi({ description: 'In the repository or the tag' }),
  namespace: text(255).optional(),
  repository: text(512).optional(),
  tag: text(128).optional(),
  digest: text(200).optional(),
  latest: flag.optional().openapi({ description: 'The youngest of each repository' }),
  multiarch: flag.optional(),
  platform: text(100)
    .optional()
    .openapi({ description: 'One of its platforms', example: 'linux/arm64' }),
  minSize: bytes.optional(),
  maxSize: bytes.optional(),
  gone: flag.optional().openapi({
    description: 'true: what the registry has no more, until the sync after the next forgets it',
  }),
}
const imagePage = pageOf(ImageView).extend({
  total: z.int().openapi({ description: 'Of all pages' }),
  totalIs: z.enum(['exact', 'about', 'atLeast']).openapi({
    description:
      '`about`: worked out from a part, as there is very much to count; `atLeast`: counted so far',
  }),
})

export const imageRoutes = {
  all: route({
    name: 'image.list',
    method: 'GET',
    path: '/images',
    summary: 'List and search the images of the external registries that your projects may use',
    ...forAll,
    query: filters,
    output: imagePage,
  }),
  list: route({
    name: 'registry-image.list',
    method: 'GET',
    path: '/registries/{registry}/images',
    summary: 'List and search the images of an external registry',
    ...forAll,
    params,
    query: filters,
    output: imagePage,
  }),
  sync: route({
    name: 'registry-sync.create',
    method: 'POST',
    path: '/registries/{registry}/sync',
    summary: 'Read the images of an external registry; one that is under way is joined',
    permission: 'registry:manage',
    on: 'system',
    params,
    output: SyncView,
  }),
  syncs: route({
    name: 'registry-sync.list',
    method: 'GET',
    path: '/registries/{registry}/syncs',
    summary: 'List the syncs of an external registry, newest first',
    ...forAll,
    params,
    query: page,
    output: pageOf(SyncView),
  }),
}

export function imageEndpoints({ db, clock, queue, registries }: ApiDeps): Endpoint[] {
  const seenBy = ({ isAdmin, account }: Principal) => (isAdmin ? undefined : account)

  async function find(asked: string, principal: Principal): Promise<RegistryRecord> {
    const found = await registries.get(asked, seenBy(principal))
    if (!found) throw registryUnknown(asked)
    return found
  }

  async function list(
    records: readonly RegistryRecord[],
    query: {
      limit?: number | undefined
      after?: string | undefined
      latest?: boolean | undefined
      multiarch?: boolean | undefined
      minSize?: number | undefined
      maxSize?: number | undefined
      gone?: boolean | undefined
    } & Pick<ImageFilter, 'search' | 'namespace' | 'repository' | 'tag' | 'digest' | 'platform'>,
    by: number | null,
  ) {
    const { limit, after: sent, latest, multiarch, minSize, maxSize, gone, ...rest } = query
    if (sent !== undefined && !/^\d{1,15}$/.test(sent)) throw afterInvalid()
    const names = new Map(records.map((record) => [record.id, record.name]))
    const filter = {
      ...rest,
      registries: [...names.keys()],
      isLatest: latest,
      isMultiarch: multiarch,
      sizeFrom: minSize,
      sizeTo: maxSize,
      isGone: gone,
    }
    let counted: Pick<FoundImages, 'total' | 'totalIs'> = { total: 0, totalIs: 'exact' }
    const found = await readPage(
      limit,
      async (count) => {
        const after = sent === undefined ? undefined : Number(sent)
        const asked = { ...filter, limit: count, after }
        const { items, ...rest } = await findImages(db, asked, { exact: false, by })
        counted = rest
        return items
      },
      ({ id }) => String(id),
    )
    const items = found.items.map(({ imageName, isMultiarch, ...image }) => ({
      ...image,
      registry: { id: image.registry, name: names.get(image.registry) ?? '' },
    }))
    const reply = listReply({ ...found, items })
    return { ...reply, body: { ...reply.body, ...counted } }
  }

  return [
    endpoint(imageRoutes.all, async ({ query, principal }) =>
      list(await registries.list({ visibleTo: seenBy(principal) }), query, principal.account),
    ),

    endpoint(imageRoutes.list, async ({ params: { registry }, query, principal }) =>
      list([await find(registry, principal)], query, principal.account),
    ),

    endpoint(imageRoutes.sync, async ({ params: { registry }, principal, audit }) => {
      const { id: found, name } = await find(registry, principal)
      const sync = await db.transaction(async (tx) => {
        const asked = await requestSync(queue, tx, {
          registry: found,
          trigger: 'manual',
          requestedBy: principal.account,
          now: clock(),
        })
        if (!asked.joined) await audit(tx, { resource: name })
        return asked.sync
      })
      const view = await readSync(db.query, sync)
      if (!view) throw new AppError('not_found', 'the registry was deleted meanwhile')
      return { body: view }
    }),

    endpoint(imageRoutes.syncs, async ({ params: { registry }, query, principal }) => {
      const { id: found } = await find(registry, principal)
      const { before } = idAfter(query.after)
      const listed = await readPage(
        query.limit,
        (limit) => listSyncs(db.query, { registry: found, before, limit }),
        ({ id }) => String(id),
      )
      return listReply({ ...listed, items: listed.items.map(syncViewOf) })
    }),
  ]
}

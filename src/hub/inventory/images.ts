import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely'
import type { Queryable } from '../../store/db/database.ts'
import type { Row, Schema } from '../../store/db/schema.ts'
import type { ImageChild } from './read-image.ts'

export interface ImageFilter {
  /** Ids of those that are looked in. */
  registries: readonly string[]
  /** In the name of the repository or in the tag, whatever the case. */
  search?: string | undefined
  /** In the name of the image, whatever the case. */
  imageNameHas?: string | undefined
  namespace?: string | undefined
  repository?: string | undefined
  tag?: string | undefined
  digest?: string | undefined
  size?: number | undefined
  /** Bytes, both ends included. */
  sizeFrom?: number | undefined
  sizeTo?: number | undefined
  /** One of its platforms, exactly: `linux/arm64`. */
  platform?: string | undefined
  /** True: those that the registry has no more, instead of those that it has. */
  isGone?: boolean | undefined
  isLatest?: boolean | undefined
  isMultiarch?: boolean | undefined
  /** Both ends included, epoch milliseconds. */
  updatedFrom?: number | undefined
  updatedTo?: number | undefined
  syncedFrom?: number | undefined
  syncedTo?: number | undefined
}

export interface ImagePage extends ImageFilter {
  /** By id; `asc` unless set. */
  direction?: 'asc' | 'desc' | undefined
  /** Id of the last of the page before. */
  after?: number | undefined
  offset?: number | undefined
  limit: number
}

/** An image of an external registry as it was when its registry was last read. */
export interface InventoryImage {
  id: number
  registry: string
  repository: string
  namespace: string
  imageName: string
  tag: string
  digest: string
  mediaType: string
  size: number
  isMultiarch: boolean
  platforms: string[]
  children: ImageChild[]
  isLatest: boolean
  /** null: the registry does not tell. */
  pushedAt: number | null
  updatedAt: number
  firstSeenAt: number
  syncedAt: number
  /** Since when the registry has it no more; null: it has it. */
  goneAt: number | null
}

/** Those that are there, in the order in which they were first seen. */
export async function listImages(on: Queryable, page: ImagePage): Promise<InventoryImage[]> {
  if (page.registries.length === 0) return []
  const { direction = 'asc', after, offset, limit } = page
  let query = on
    .selectFrom('registry_image')
    .selectAll()
    .where((eb) => fits(eb, page, isUnfiltered(page)))
    .orderBy('id', direction)
    .limit(limit)
  if (after !== undefined) query = query.where('id', direction === 'asc' ? '>' : '<', after)
  if (offset) query = query.offset(offset)
  return (await query.execute()).map(imageOf)
}

export async function countImages(on: Queryable, filter: ImageFilter): Promise<number> {
  if (filter.registries.length === 0) return 0
  const { count } = await on
    .selectFrom('registry_image')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where((eb) => fits(eb, filter))
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** Nothing is asked but that it is in one of several registries. */
function isUnfiltered({ registries, direction, after, offset, limit, ...rest }: ImagePage) {
  return registries.length > 1 && Object.values(rest).every((value) => value === undefined)
}

/** `byId`: an expression keeps SQLite from gathering and sorting all images of the registries. */
function fits(eb: ExpressionBuilder<Schema, 'registry_image'>, filter: ImageFilter, byId = false) {
  const registry = byId ? sql<string>`(registry || '')` : eb.ref('registry')
  const all: Expression<SqlBool>[] = [
    eb('gone_at', filter.isGone ? 'is not' : 'is', null),
    eb(registry, 'in', [...filter.registries]),
  ]
  const equal = [
    ['namespace', filter.namespace],
    ['repository', filter.repository],
    ['tag', filter.tag],
    ['digest', filter.digest],
    ['size', filter.size],
  ] as const
  for (const [column, value] of equal) {
    if (value !== undefined) all.push(eb(column, '=', value))
  }
  if (filter.search) all.push(eb.or([has('repository', filter.search), has('tag', filter.search)]))
  if (filter.platform !== undefined) all.push(has('platforms', JSON.stringify(filter.platform)))
  if (filter.sizeFrom !== undefined) all.push(eb('size', '>=', filter.sizeFrom))
  if (filter.sizeTo !== undefined) all.push(eb('size', '<=', filter.sizeTo))
  if (filter.imageNameHas) all.push(has('image_name', filter.imageNameHas))
  if (filter.isLatest !== undefined) all.push(eb('latest_version', '=', filter.isLatest ? 1 : 0))
  if (filter.isMultiarch !== undefined) {
    all.push(eb('is_multiarch', '=', filter.isMultiarch ? 1 : 0))
  }
  if (filter.updatedFrom !== undefined) all.push(eb('updated_at', '>=', filter.updatedFrom))
  if (filter.updatedTo !== undefined) all.push(eb('updated_at', '<=', filter.updatedTo))
  if (filter.syncedFrom !== undefined) all.push(eb('synced_at', '>=', filter.syncedFrom))
  if (filter.syncedTo !== undefined) all.push(eb('synced_at', '<=', filter.syncedTo))
  return eb.and(all)
}

/** Tags have capitals, and PostgreSQL tells them apart. */
function has(column: 'repository' | 'image_name' | 'tag' | 'platforms', text: string) {
  const pattern = `%${text.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`
  return sql<SqlBool>`lower(${sql.ref(column)}) like ${pattern} escape '\\'`
}

function imageOf(row: Row<'registry_image'>): InventoryImage {
  return {
    id: row.id,
    registry: row.registry,
    repository: row.repository,
    namespace: row.namespace,
    imageName: row.image_name,
    tag: row.tag,
    digest: row.digest,
    mediaType: row.media_type,
    size: row.size,
    isMultiarch: row.is_multiarch === 1,
    platforms: JSON.parse(row.platforms) as string[],
    children: JSON.parse(row.children) as ImageChild[],
    isLatest: row.latest_version === 1,
    pushedAt: row.pushed_at,
    updatedAt: row.updated_at,
    firstSeenAt: row.first_seen_at,
    syncedAt: row.synced_at,
    goneAt: row.gone_at,
  }
}

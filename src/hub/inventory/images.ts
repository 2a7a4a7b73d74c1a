import type { Db, Queryable } from '../../store/db/database.ts'
import type { Engine } from '../../store/db/engine.ts'
import type { Row } from '../../store/db/schema.ts'
import { column, fits, hasText, type ImageFilter, isUnfiltered } from './image-filter.ts'
import type { ImageChild } from './read-image.ts'
import { countByText, findByText } from './search-images.ts'

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

/** Rows that are walked through in a moment. */
const FAR = 1_000
const STRETCH = 10_000

export interface FoundImages {
  items: InventoryImage[]
  /** Of all pages. */
  total: number
}

/**
 * Those that are there, in the order in which they were first seen, with the number of all.
 * @param few of a search: how many are looked up one by one before all images are walked through
 */
export async function findImages(
  { query, scan, engine }: Pick<Db, 'query' | 'scan' | 'engine'>,
  page: ImagePage,
  few?: number,
): Promise<FoundImages> {
  const { direction, after, offset, limit, ...filter } = page
  if (filter.registries.length === 0) return { items: [], total: 0 }
  if (hasText(filter)) return searchImages(scan, engine, page, filter, few)
  // Whatever is looked for may be at the very end, and a far page is walked to.
  const isNear = isUnfiltered(filter) && (offset ?? 0) < FAR
  const items = await listImages(isNear ? query : scan, engine, page)
  // A list that ends here needs no counting.
  const isWhole = after === undefined && items.length < limit && (items.length > 0 || !offset)
  if (isWhole) return { items, total: (offset ?? 0) + items.length }
  if (isUnfiltered(filter)) {
    const total = await countedBySyncs(query, filter.registries)
    // The sync that goes on has not counted yet.
    if (total >= (offset ?? 0) + items.length) return { items, total }
  }
  return { items, total: await countImages(scan, filter) }
}

async function searchImages(
  on: Queryable,
  engine: Engine,
  page: ImagePage,
  filter: ImageFilter,
  few: number | undefined,
): Promise<FoundImages> {
  const { direction = 'asc', after, offset = 0, limit } = page
  const found = await findByText(on, filter, few)
  if (!found) {
    const list = offset < FAR ? walkImages : listImages
    return { items: await list(on, engine, page), total: await countByText(on, filter) }
  }
  if (direction === 'desc') found.reverse()
  const isAfter = (id: number) =>
    after === undefined || (direction === 'asc' ? id > after : id < after)
  const ids = found.filter(isAfter).slice(offset, offset + limit)
  if (ids.length === 0) return { items: [], total: found.length }
  const rows = await on
    .selectFrom('registry_image')
    .selectAll()
    .where('id', 'in', ids)
    .orderBy('id', direction)
    .execute()
  return { items: rows.map(imageOf), total: found.length }
}

/**
 * Where many fit: by stretches of ids, each longer than the one before. Of one query for all of them
 * PostgreSQL expects so few rows that it would look at each and sort.
 */
async function walkImages(
  on: Queryable,
  engine: Engine,
  page: ImagePage,
): Promise<InventoryImage[]> {
  const { direction = 'asc', after, offset = 0, limit, ...filter } = page
  const isUp = direction === 'asc'
  const end = await on
    .selectFrom('registry_image')
    .select((eb) => eb.fn.max('id').as('id'))
    .executeTakeFirst()
  const last = Number(end?.id ?? 0)
  const rows: Row<'registry_image'>[] = []
  let from = after ?? (isUp ? 0 : last + 1)
  for (let stretch = STRETCH; isUp ? from < last : from > 1; stretch *= 4) {
    const to = isUp ? from + stretch : from - stretch
    const more = await on
      .selectFrom('registry_image')
      .selectAll()
      .where(fits(filter, engine.unindexed(column('registry'))))
      .where('id', isUp ? '>' : '<', from)
      .where('id', isUp ? '<=' : '>=', to)
      .orderBy('id', direction)
      .limit(offset + limit - rows.length)
      .execute()
    rows.push(...more)
    if (rows.length >= offset + limit) break
    from = to
  }
  return rows.slice(offset).map(imageOf)
}

async function listImages(
  on: Queryable,
  engine: Engine,
  page: ImagePage,
): Promise<InventoryImage[]> {
  const { direction = 'asc', after, offset, limit, ...filter } = page
  const byId = hasText(filter) || (isUnfiltered(filter) && filter.registries.length > 1)
  const registry = column('registry')
  let query = on
    .selectFrom('registry_image')
    .selectAll()
    .where(fits(filter, byId ? engine.unindexed(registry) : registry))
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
    .where(fits(filter))
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** As many as each of them had at the end of its last sync. */
async function countedBySyncs(on: Queryable, registries: readonly string[]): Promise<number> {
  const { sum } = await on
    .selectFrom('registry')
    .select((eb) => eb.fn.sum<number | null>('images_num').as('sum'))
    .where('id', 'in', [...registries])
    .executeTakeFirstOrThrow()
  return Number(sum ?? 0)
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

import { createFairLimit } from '../../lib/fair-limit.ts'
import type { Db, Queryable } from '../../store/db/database.ts'
import type { Engine } from '../../store/db/engine.ts'
import type { Row } from '../../store/db/schema.ts'
import {
  COUNTED,
  type CountOptions,
  countedBySyncs,
  countFitting,
  type Total,
} from './count-images.ts'
import { column, fits, hasText, type ImageFilter, isRanged, isUnfiltered } from './image-filter.ts'
import type { ImageChild } from './read-image.ts'
import { countByText, findByText, firstByText, weigh } from './search-images.ts'

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
const STRETCH = 5_000
/** Not much longer than it takes to look at the names of all. */
const MOST_STRETCH = 80_000
/** Images of the repositories that may have some that fit. */
const MOST_LOOKED_AT = 100_000

/** `total` is of all pages. */
export interface FoundImages extends Total {
  items: InventoryImage[]
}

/**
 * Searches at once in this process, each of another account: the database and the processor are for
 * others too, and who searches for what takes long, or again and again, waits for himself alone. With
 * SQLite only between statements: those of both have one thread.
 */
const turn = createFairLimit<number | null>(2)

/**
 * Those that are there, in the order in which they were first seen, with the number of all.
 * @param options.by the account that asks
 */
export async function findImages(
  { query, scan, engine }: Pick<Db, 'query' | 'scan' | 'engine'>,
  page: ImagePage,
  { by = null, ...options }: CountOptions & { by?: number | null } = {},
): Promise<FoundImages> {
  const { direction, after, offset, limit, ...filter } = page
  if (filter.registries.length === 0) return { items: [], total: 0, totalIs: 'exact' }
  if (hasText(filter)) return turn(by, () => searchImages(scan, engine, page, filter, options))
  if (isRanged(filter)) return turn(by, () => rangedImages(scan, engine, page, filter, options))
  const isPlain = isUnfiltered(filter)
  // Whatever is looked for may be at the very end, and a far page is walked to.
  const isNear = isPlain && (offset ?? 0) < FAR
  const items = await (isNear
    ? listImages(query, engine, page)
    : turn(by, () => listImages(scan, engine, page)))
  const known = (offset ?? 0) + items.length
  // A list that ends here needs no counting.
  const isWhole = after === undefined && items.length < limit && (items.length > 0 || !offset)
  if (isWhole) return { items, total: known, totalIs: 'exact' }
  if (isPlain) {
    const total = await countedBySyncs(query, filter.registries)
    // The sync that goes on has not counted yet.
    if (total >= known) return { items, total, totalIs: 'exact' }
  }
  return withTotal(items, await turn(by, () => countFitting(scan, filter, options)), page)
}

/** No fewer than are shown, where they were counted before. */
function withTotal(
  items: InventoryImage[],
  { total, totalIs }: Total,
  { offset = 0 }: ImagePage,
): FoundImages {
  const known = items.length === 0 ? 0 : offset + items.length
  return { items, total: Math.max(total, known), totalIs }
}

/** Where very many fit, one is soon met on the way; where few do, they are soon sorted. */
async function rangedImages(
  on: Queryable,
  engine: Engine,
  page: ImagePage,
  filter: ImageFilter,
  options: CountOptions,
): Promise<FoundImages> {
  const counted = await countFitting(on, filter, options)
  if (counted.total === 0) return { items: [], ...counted }
  const isFar = counted.total < COUNTED || (page.offset ?? 0) >= FAR
  const list = (more: Partial<ImagePage>) => listImages(on, engine, { ...page, ...more })
  const items = await (isFar ? list({}) : walkImages(on, engine, page, filter, list))
  return withTotal(items, counted, page)
}

async function searchImages(
  on: Queryable,
  engine: Engine,
  page: ImagePage,
  filter: ImageFilter,
  { exact = true, few }: CountOptions,
): Promise<FoundImages> {
  const { direction = 'asc', after, offset = 0, limit } = page
  const weight = await weigh(on, filter)
  const found =
    weight.named + weight.tagged > MOST_LOOKED_AT ? undefined : await findByText(on, filter, few)
  if (!found) {
    const lookUp = async ({ after: from = 0, limit: most = limit }) =>
      readImages(
        on,
        await firstByText(on, filter, { after: from, direction, limit: most }),
        direction,
      )
    const items =
      offset < FAR
        ? await walkImages(on, engine, page, filter, lookUp)
        : await listImages(on, engine, page)
    return withTotal(items, await countByText(on, filter, weight, exact), page)
  }
  if (direction === 'desc') found.reverse()
  const isAfter = (id: number) =>
    after === undefined || (direction === 'asc' ? id > after : id < after)
  const ids = found.filter(isAfter).slice(offset, offset + limit)
  return { items: await readImages(on, ids, direction), total: found.length, totalIs: 'exact' }
}

async function readImages(
  on: Queryable,
  ids: readonly number[],
  direction: 'asc' | 'desc',
): Promise<InventoryImage[]> {
  if (ids.length === 0) return []
  const rows = await on
    .selectFrom('registry_image')
    .selectAll()
    .where('id', 'in', [...ids])
    .orderBy('id', direction)
    .execute()
  return rows.map(imageOf)
}

/**
 * Where many fit: by stretches of ids, each longer than the one before. Of one query for all of them
 * PostgreSQL expects so few rows that it would look at each and sort.
 * @param lookUp the rest, where those that fit lie far apart, or all at the end
 */
async function walkImages(
  on: Queryable,
  engine: Engine,
  page: ImagePage,
  filter: ImageFilter,
  lookUp: (rest: { after: number; limit: number; offset: 0 }) => Promise<InventoryImage[]>,
): Promise<InventoryImage[]> {
  const { direction = 'asc', after, offset = 0, limit } = page
  const isUp = direction === 'asc'
  const end = await on
    .selectFrom('registry_image')
    .select((eb) => eb.fn.max('id').as('id'))
    .executeTakeFirst()
  const last = Number(end?.id ?? 0)
  const begin = after ?? (isUp ? 0 : last + 1)
  const rows: Row<'registry_image'>[] = []
  let from = begin
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
    from = to
    if (rows.length >= offset + limit) break
    if (stretch < MOST_STRETCH) continue
    const rest = await lookUp({ after: from, limit: offset + limit - rows.length, offset: 0 })
    return [...rows.map(imageOf), ...rest].slice(offset)
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

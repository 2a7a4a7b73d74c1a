import { sql } from 'kysely'
import type { Queryable } from '../../store/db/database.ts'
import { fits, type ImageFilter, isOfTimes } from './image-filter.ts'

/* How many images fit, where no text is looked for. */

/** How many there are; `about`: worked out from a part; `atLeast`: counted so far and no further. */
export interface Total {
  total: number
  totalIs: 'exact' | 'about' | 'atLeast'
}

export interface CountOptions {
  /** True: all are counted, however many they are. Default true. */
  exact?: boolean
  /** Of a search: how many are looked up one by one before all images are walked through. */
  few?: number
}

/** So many are counted where it need not be exact. */
export const COUNTED = 10_000

export async function countImages(on: Queryable, filter: ImageFilter): Promise<number> {
  if (filter.registries.length === 0) return 0
  const { count } = await on
    .selectFrom('registry_image')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where(fits(filter))
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** All, or as many as are enough to know that they are many. */
export async function countFitting(
  on: Queryable,
  filter: ImageFilter,
  { exact = true }: CountOptions,
): Promise<Total> {
  if (isOfTimes(filter)) return countByTimes(on, filter)
  if (exact) return { total: await countImages(on, filter), totalIs: 'exact' }
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from (
      select 1 from registry_image where ${fits(filter)} limit ${COUNTED + 1}) found`.execute(on)
  const total = Number(rows[0]?.count ?? 0)
  return total > COUNTED ? { total: COUNTED, totalIs: 'atLeast' } : { total, totalIs: 'exact' }
}

/**
 * Of a span of time those within are counted, or those without, whichever seem to be fewer: the
 * number of all is known for each repository since it was last read.
 */
async function countByTimes(on: Queryable, filter: ImageFilter): Promise<Total> {
  const { registries, updatedFrom, updatedTo, syncedFrom, syncedTo } = filter
  const isUpdated = updatedFrom !== undefined || updatedTo !== undefined
  const isSynced = syncedFrom !== undefined || syncedTo !== undefined
  if (isUpdated !== isSynced) {
    const [name, from, to] = isUpdated
      ? (['updated_at', updatedFrom, updatedTo] as const)
      : (['synced_at', syncedFrom, syncedTo] as const)
    if (await isMostOf(on, registries, name, { from, to })) {
      const without = await countOutside(on, registries, name, { from, to })
      const all = await countedByRepositories(on, registries)
      if (all > without) return { total: all - without, totalIs: 'exact' }
    }
  }
  return { total: await countImages(on, filter), totalIs: 'exact' }
}

type Span = { from?: number | undefined; to?: number | undefined }
type TimeColumn = 'updated_at' | 'synced_at'

/** By the first and the last time of each registry, as if all between were alike. */
async function isMostOf(
  on: Queryable,
  registries: readonly string[],
  name: TimeColumn,
  { from = 0, to = Number.MAX_SAFE_INTEGER }: Span,
): Promise<boolean> {
  const edge = (registry: string, direction: 'asc' | 'desc') =>
    on
      .selectFrom('registry_image')
      .select(name)
      .where('registry', '=', registry)
      .where('gone_at', 'is', null)
      .orderBy(name, direction)
      .limit(1)
      .executeTakeFirst()
  let [within, all] = [0, 0]
  for (const registry of registries) {
    const [first, last] = [await edge(registry, 'asc'), await edge(registry, 'desc')]
    if (!first || !last) continue
    const [begin, end] = [Number(first[name]), Number(last[name]) + 1]
    all += end - begin
    within += Math.max(0, Math.min(end, to + 1) - Math.max(begin, from))
  }
  return within * 2 > all
}

async function countOutside(
  on: Queryable,
  registries: readonly string[],
  name: TimeColumn,
  { from, to }: Span,
): Promise<number> {
  const key = name === 'updated_at' ? 'updated' : 'synced'
  const before =
    from === undefined ? 0 : await countImages(on, { registries, [`${key}To`]: from - 1 })
  const after = to === undefined ? 0 : await countImages(on, { registries, [`${key}From`]: to + 1 })
  return before + after
}

/** As many as each repository had when it was last read. */
async function countedByRepositories(
  on: Queryable,
  registries: readonly string[],
): Promise<number> {
  const { sum } = await on
    .selectFrom('registry_repository')
    .select((eb) => eb.fn.sum<number | null>('images').as('sum'))
    .where('registry', 'in', [...registries])
    .executeTakeFirstOrThrow()
  return Number(sum ?? 0)
}

/** As many as each of them had at the end of its last sync. */
export async function countedBySyncs(
  on: Queryable,
  registries: readonly string[],
): Promise<number> {
  const { sum } = await on
    .selectFrom('registry')
    .select((eb) => eb.fn.sum<number | null>('images_num').as('sum'))
    .where('id', 'in', [...registries])
    .executeTakeFirstOrThrow()
  return Number(sum ?? 0)
}

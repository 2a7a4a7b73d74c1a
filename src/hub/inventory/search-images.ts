import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { Queryable } from '../../store/db/database.ts'
import { COUNTED, type Total } from './count-images.ts'
import { column, fits, has, hasWithin, type ImageFilter, imageNamed } from './image-filter.ts'

/*
 * Some text anywhere in a name: no index has that. But repositories are many times fewer than images,
 * and their tags stand as one text beside them. So it is looked first which repositories may have
 * any, and then at the images of these.
 */

/** Images that are looked up one by one; above it is quicker to walk through all: soon one fits. */
const FEW = 20_000
/** Above this many images that may fit their number is worked out from a part of them. */
const LOOKED_AT = 100_000
const SAMPLE = 1_000

/** Images in all repositories that may have some, as counted when these were read last. */
export interface Weight {
  /** Where the name of the repository fits, so all of them do. */
  named: number
  /** Where some tag does. */
  tagged: number
  /** Of the latter. */
  taggedRepositories: number
}

/** @returns how much there is to look at for these words */
export async function weigh(on: Queryable, filter: ImageFilter): Promise<Weight> {
  const { rows } = await sql<{ named: number; images: number | null; count: number }>`
    select named, sum(images) as images, count(*) as count from (${candidates(filter)}) c
    group by named`.execute(on)
  const of = (named: number) => rows.find((row) => Number(row.named) === named)
  return {
    named: Number(of(1)?.images ?? 0),
    tagged: Number(of(0)?.images ?? 0),
    taggedRepositories: Number(of(0)?.count ?? 0),
  }
}

/**
 * Ids of all images with this text in their names, in their order; undefined: there are more than
 * `few`.
 */
export async function findByText(
  on: Queryable,
  filter: ImageFilter,
  few: number = FEW,
): Promise<number[] | undefined> {
  const { rows } = await idsOf(filter, sql`limit ${few + 1}`).execute(on)
  if (rows.length > few) return undefined
  return rows.map(({ id }) => Number(id)).sort((a, b) => a - b)
}

/** The first ids in an order, without walking through what cannot fit. */
export async function firstByText(
  on: Queryable,
  filter: ImageFilter,
  { after, direction, limit }: { after: number; direction: 'asc' | 'desc'; limit: number },
): Promise<number[]> {
  const [beyond, order] = direction === 'asc' ? ['>', 'asc'] : ['<', 'desc']
  const { rows } = await idsOf(
    filter,
    sql`and registry_image.id ${sql.raw(beyond)} ${after} order by registry_image.id ${sql.raw(order)} limit ${limit}`,
  ).execute(on)
  return rows.map(({ id }) => Number(id))
}

/**
 * How many there are, where they are too many to be looked up. Images of whole repositories are
 * counted already: by the syncs, so of one that is being read now as it was before.
 * @param exact false: where there is very much to count, a part tells
 */
export async function countByText(
  on: Queryable,
  filter: ImageFilter,
  weight: Weight,
  exact: boolean,
): Promise<Total> {
  const { search, imageNameHas, registries, ...rest } = filter
  const isPlain = Object.values(rest).every((value) => value === undefined)
  if (!isPlain) {
    const most = exact ? sql`` : sql`limit ${COUNTED + 1}`
    const total = await countOf(on, idsOf(filter, most))
    const isMore = !exact && total > COUNTED
    return isMore ? { total: COUNTED, totalIs: 'atLeast' } : { total, totalIs: 'exact' }
  }
  const { named, tagged, taggedRepositories } = weight
  if (tagged === 0) return { total: named, totalIs: 'exact' }
  const every = exact || tagged <= LOOKED_AT ? 1 : Math.ceil(taggedRepositories / SAMPLE)
  const { rows } = await sql<{ looked: number; fitting: number | null }>`
    select count(*) as looked, sum(case when ${has(column('tag'), search ?? '')} then 1 else 0 end)
      as fitting
    from (select distinct t.registry, t.repository from registry_tags t
      where ${inTags(filter)} and t.id % ${every} = 0) t
    cross join registry_image
    where registry_image.registry = t.registry and registry_image.repository = t.repository
      and registry_image.gone_at is null
      and not ${has(sql.ref('t.repository'), search ?? '')}
      and ${namedBy(sql.ref('t.repository'), { imageNameHas })}`.execute(on)
  const [looked, fitting] = [Number(rows[0]?.looked ?? 0), Number(rows[0]?.fitting ?? 0)]
  if (every === 1) return { total: named + fitting, totalIs: 'exact' }
  const share = fitting / Math.max(1, looked)
  return { total: named + Math.round(tagged * share), totalIs: 'about' }
}

async function countOf(on: Queryable, ids: RawBuilder<unknown>): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from (${ids}) found`.execute(on)
  return Number(rows[0]?.count)
}

/** Ids of the images of the repositories that may have any. The order of the join is SQLite's of work. */
function idsOf({ search, imageNameHas, ...rest }: ImageFilter, more: RawBuilder<unknown>) {
  const fitting = search
    ? sql<SqlBool>`(c.named = 1 or ${has(column('tag'), search)})`
    : sql<SqlBool>`1 = 1`
  return sql<{ id: number }>`
    select registry_image.id as id from (${candidates({ search, imageNameHas, registries: rest.registries })}) c
    cross join registry_image
    where registry_image.registry = c.registry
      and registry_image.repository = c.repository and ${fitting}
      and ${fits(rest)} ${more}`
}

/** Repositories that may have images that fit; `named`: 1 where the name does, so that all do. */
function candidates({ registries, search, imageNameHas }: ImageFilter): RawBuilder<unknown> {
  const repository = sql.ref('r.repository')
  const byName = sql`
    select r.registry, r.repository, r.images, 1 as named from registry_repository r
    where r.registry in (${sql.join([...registries])})
      and ${namedBy(repository, { search, imageNameHas })}`
  if (!search || !isOfTags(search)) return byName
  return sql`${byName} union all
    select r.registry, r.repository, r.images, 0 as named
    from (select distinct t.registry, t.repository from registry_tags t
      where ${inTags({ registries, search })}) t
    cross join registry_repository r
    where r.registry = t.registry and r.repository = t.repository
      and not ${has(repository, search)} and ${namedBy(repository, { imageNameHas })}`
}

function namedBy(
  repository: RawBuilder<unknown>,
  { search, imageNameHas }: Pick<ImageFilter, 'search' | 'imageNameHas'>,
): RawBuilder<SqlBool> {
  const conditions = [
    ...(search ? [has(repository, search)] : []),
    ...(imageNameHas ? [imageNamed(repository, imageNameHas)] : []),
  ]
  return conditions.length === 0 ? sql`1 = 1` : sql`${sql.join(conditions, sql` and `)}`
}

function inTags({ registries, search }: Pick<ImageFilter, 'registries' | 'search'>) {
  const tags = sql.ref('t.tags')
  return sql<SqlBool>`t.registry in (${sql.join([...registries])})
    and ${hasWithin(tags, search ?? '')}`
}

/** Nothing else can stand in a tag. */
const isOfTags = (text: string): boolean => /^[\w.-]+$/.test(text)

import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { Queryable } from '../../store/db/database.ts'
import { column, fits, has, type ImageFilter, imageNamed } from './image-filter.ts'

/*
 * Some text anywhere in a name: no index has that. But the names of repositories are many times
 * fewer than images, and tags stand in an index that is read from end to end without their rows.
 */

/** Above this many it is quicker to walk through all images: soon enough one fits. */
const FEW = 20_000

/**
 * Ids of all images with this text in their names, in their order; undefined: there are more than
 * `few`.
 */
export async function findByText(
  on: Queryable,
  { search, imageNameHas, ...rest }: ImageFilter,
  few: number = FEW,
): Promise<number[] | undefined> {
  const repository = sql.ref('registry_repository.repository')
  const named: RawBuilder<SqlBool>[] = []
  if (imageNameHas) named.push(imageNamed(repository, imageNameHas))
  if (search) named.push(has(repository, search))
  const byRepository = await idsOf(
    on,
    // The order of this join is SQLite's order of work.
    sql`registry_repository cross join registry_image`,
    sql`registry_image.registry = registry_repository.registry
      and registry_image.repository = registry_repository.repository
      and registry_repository.registry in (${sql.join([...rest.registries])})
      and ${sql.join(named, sql` and `)} and ${fits(rest)}`,
    few,
  )
  if (byRepository.length > few) return undefined
  if (!search) return byRepository.sort(ascending)
  const byTag = await idsOf(
    on,
    sql`registry_image`,
    sql`${fits({ ...rest, imageNameHas })} and ${has(sql.ref('registry_image.tag'), search)}`,
    few,
  )
  const all = new Set([...byRepository, ...byTag])
  return all.size > few ? undefined : [...all].sort(ascending)
}

/**
 * How many there are, where they are too many to be looked up. Where nothing else is asked for, the
 * images of whole repositories are counted already: by the syncs, so of one that is being read now
 * as it was before.
 */
export async function countByText(on: Queryable, filter: ImageFilter): Promise<number> {
  const { search, imageNameHas, registries, ...rest } = filter
  const isPlain = Object.values(rest).every((value) => value === undefined)
  if (!isPlain || (search && imageNameHas)) return countRows(on, fits(filter))
  const repository = sql.ref('registry_repository.repository')
  const named = search ? has(repository, search) : imageNamed(repository, imageNameHas ?? '')
  const { rows } = await sql<{ images: number | null }>`
    select sum(images) as images from registry_repository
    where registry in (${sql.join([...registries])}) and ${named}`.execute(on)
  const ofRepositories = Number(rows[0]?.images ?? 0)
  if (!search) return ofRepositories
  const [tag, name] = [column('tag'), column('repository')]
  const byTag = sql<SqlBool>`${fits({ registries })} and ${has(tag, search)}
    and not ${has(name, search)}`
  return ofRepositories + (await countRows(on, byTag))
}

async function countRows(on: Queryable, condition: RawBuilder<SqlBool>): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from registry_image where ${condition}`.execute(on)
  return Number(rows[0]?.count)
}

async function idsOf(
  on: Queryable,
  tables: RawBuilder<unknown>,
  condition: RawBuilder<SqlBool>,
  few: number,
): Promise<number[]> {
  const { rows } = await sql<{ id: number }>`
    select registry_image.id as id from ${tables} where ${condition} limit ${few + 1}`.execute(on)
  return rows.map(({ id }) => id)
}

function ascending(a: number, b: number): number {
  return a - b
}

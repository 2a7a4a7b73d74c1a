import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { Row } from '../../store/db/schema.ts'

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

type Condition = RawBuilder<SqlBool>
type Column = Exclude<keyof Row<'registry_image'>, 'id'>

export const column = (name: Column) => sql.ref(`registry_image.${name}`)
const flag = (value: boolean) => (value ? 1 : 0)

/** Nothing is asked but that it is there, in one of the registries. */
export function isUnfiltered({ registries, ...rest }: ImageFilter): boolean {
  return Object.values(rest).every((value) => value === undefined || value === '')
}

/** Nothing but times of images that are there. */
export function isOfTimes(filter: ImageFilter): boolean {
  const { registries, updatedFrom, updatedTo, syncedFrom, syncedTo, ...rest } = filter
  return Object.values(rest).every((value) => value === undefined || value === '')
}

/** Something of which no index has the order of the list, so that much of it would be sorted. */
export function isRanged(filter: ImageFilter): boolean {
  const { sizeFrom, sizeTo, platform, isMultiarch } = filter
  const { updatedFrom, updatedTo, syncedFrom, syncedTo } = filter
  const times = [updatedFrom, updatedTo, syncedFrom, syncedTo]
  return [sizeFrom, sizeTo, platform, isMultiarch, ...times].some((value) => value !== undefined)
}

/** Some text in a name is asked for, of images that are there. */
export function hasText({ search, imageNameHas, isGone }: ImageFilter): boolean {
  return Boolean(search || imageNameHas) && !isGone
}

/** What fits a filter; `registry`: how that column is looked at. */
export function fits(
  filter: ImageFilter,
  registry: RawBuilder<unknown> = column('registry'),
): Condition {
  const conditions: Condition[] = [
    filter.isGone ? sql`${column('gone_at')} is not null` : sql`${column('gone_at')} is null`,
    sql`${registry} in (${sql.join([...filter.registries])})`,
  ]
  const compare = (name: Column, how: '=' | '>=' | '<=', value: string | number | undefined) => {
    if (value !== undefined) conditions.push(sql`${column(name)} ${sql.raw(how)} ${value}`)
  }
  compare('namespace', '=', filter.namespace)
  compare('repository', '=', filter.repository)
  compare('tag', '=', filter.tag)
  compare('digest', '=', filter.digest)
  compare('size', '=', filter.size)
  compare('size', '>=', filter.sizeFrom)
  compare('size', '<=', filter.sizeTo)
  compare('updated_at', '>=', filter.updatedFrom)
  compare('updated_at', '<=', filter.updatedTo)
  compare('synced_at', '>=', filter.syncedFrom)
  compare('synced_at', '<=', filter.syncedTo)
  const { search, imageNameHas, platform, isLatest, isMultiarch } = filter
  if (isLatest !== undefined) compare('latest_version', '=', flag(isLatest))
  if (isMultiarch !== undefined) compare('is_multiarch', '=', flag(isMultiarch))
  if (search) {
    conditions.push(sql`(${has(column('repository'), search)} or ${has(column('tag'), search)})`)
  }
  if (imageNameHas) conditions.push(imageNamed(column('repository'), imageNameHas))
  if (platform !== undefined) conditions.push(has(column('platforms'), JSON.stringify(platform)))
  return sql`${sql.join(conditions, sql` and `)}`
}

/** True where the text is in it, whatever the case: tags have capitals. */
export function has(name: RawBuilder<unknown>, text: string): Condition {
  return sql`(lower(${name}) like ${pattern('%', text)} escape '\\')`
}

/** As `has`, of what stands in small letters only. */
export function hasWithin(name: RawBuilder<unknown>, text: string): Condition {
  return sql`(${name} like ${pattern('%', text)} escape '\\')`
}

/** The name of an image is what stands behind the first slash of its repository, or all of it. */
export function imageNamed(repository: RawBuilder<unknown>, text: string): Condition {
  const behind = sql`lower(${repository}) like ${pattern('%/%', text)} escape '\\'`
  return sql`(${behind} or (${repository} not like '%/%' and ${has(repository, text)}))`
}

function pattern(before: string, text: string): string {
  return `${before}${text.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`
}

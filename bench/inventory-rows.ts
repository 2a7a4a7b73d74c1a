import { sql } from 'kysely'
import type { Db } from '../src/store/db/database.ts'
import { openSqlite } from '../src/store/db/sqlite.ts'

/** What is asked of an inventory: by columns with an index, or by some text in a name. */
export type InventoryAsk = 'filter' | 'search'

export const inventoryImages = 1_000_000

const batch = 20_000
const tags = 50
const registries = 5

/** Pages of the list of images in all registries, with the number of all that fit. */
export function inventoryPaths(ask: InventoryAsk): string[] {
  const queries = {
    filter: [
      '',
      '&namespace=team-7',
      '&tag=1.1-7919',
      '&repository=team-5/service-199',
      '&latest=true',
      '&after=700000',
    ],
    // Nothing; in a few repositories; in tags; in all repositories; in all tags.
    search: ['zzz', 'service-123', '-12345', 'service', '1.'].map((text) => `&search=${text}`),
  }
  return queries[ask].map((query) => `/api/v1/images?limit=50${query}`)
}

/** As `fillInventory`, in the database `file` of a server that runs. */
export async function fillInventoryFile(file: string): Promise<void> {
  const db = openSqlite({ file, checkpoints: false })
  try {
    await fillInventory(db, inventoryImages)
  } finally {
    await db.close()
  }
}

/**
 * Writes an inventory of `images` images: 50 tags in each repository, in five registries that all
 * projects may use. On both engines the same, so nothing is asked of either that the other has not.
 */
export async function fillInventory(db: Db, images: number): Promise<void> {
  const perRegistry = images / registries
  for (let number = 0; number < registries; number++) {
    await sql`insert into registry (id, name, provider, address, all_projects, origin, electable,
        images_num, created_at, updated_at)
      values (${registryId(number)}, ${`inventory-${number}`}, 'native',
        'https://registry.example.com', 1, 'api', 0, ${perRegistry}, 1, 1)`.execute(db.query)
    for (let from = 0; from < perRegistry; from += batch) {
      const to = Math.min(perRegistry, from + batch) - 1
      await db.transaction(
        async (tx) => {
          await insertImages(number, from, to).execute(tx)
          await insertRepositories(number, from, to).execute(tx)
          await insertTags(number, from, to).execute(tx)
        },
        { durable: false },
      )
    }
  }
}

function registryId(number: number): string {
  return String(number + 1).padStart(24, '0')
}

function insertRepositories(registry: number, from: number, to: number) {
  return sql`
    insert into registry_repository (registry, repository, listed_by, images)
    select registry, repository, 1, count(*) from registry_image
    where registry = ${registryId(registry)}
      and updated_at between ${timeOf(from)} and ${timeOf(to)}
    group by registry, repository`
}

function insertTags(registry: number, from: number, to: number) {
  return sql`
    insert into registry_tags (registry, repository, count, tags)
    select registry, repository, count(*), string_agg(tag, ${sql.lit('\n')}) from registry_image
    where registry = ${registryId(registry)}
      and updated_at between ${timeOf(from)} and ${timeOf(to)}
    group by registry, repository`
}

function timeOf(image: number): number {
  return 1_700_000_000_000 + image * 1_000
}

function insertImages(registry: number, from: number, to: number) {
  const digits = sql`substr('${sql.raw('0'.repeat(64))}', 1, 64 - length(cast(i as text)))`
  const repository = sql`cast(i / ${sql.lit(tags)} as text)`
  const [one, two] = [
    sql`'team-' || ((i / ${sql.lit(tags)}) % 97)`,
    sql`'service-' || ${repository}`,
  ]
  return sql`
    with recursive s(i) as (select cast(${sql.lit(from)} as bigint) union all
      select i + 1 from s where i < ${sql.lit(to)})
    insert into registry_image (registry, repository, namespace, image_name, tag, digest, media_type,
      size, is_multiarch, platforms, children, latest_version, updated_at, first_seen_at, synced_at,
      sync)
    select ${registryId(registry)}, ${one} || '/' || ${two}, ${one}, ${two},
      '1.' || (i % ${sql.lit(tags)}) || '-' || (i * 7919 % 1000003), 'sha256:' || ${digits} || i,
      'application/vnd.oci.image.manifest.v1+json', 1000 + i % 1000000, 0, '["linux/amd64"]', '[]',
      case when i % ${sql.lit(tags)} = ${sql.lit(tags - 1)} then 1 else 0 end,
      1700000000000 + i * 1000, 1700000000000 + i, 1700000000000 + i, 1 from s`
}

import { sql } from 'kysely'
import type { Db } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import type { Row } from '../store/db/schema.ts'
import { containing } from '../store/db/search.ts'

export interface RepositoryPage {
  /** Names after this one, in byte order. */
  after?: string
  limit: number
  nameHas?: string
}

/**
 * Repositories as people see them: bytes, manifests and tags are counted exactly; tags that tools
 * made to attach something are none of theirs.
 */
export interface RepositoryReads {
  list(project: number, page: RepositoryPage): Promise<Row<'repository'>[]>
  read(project: number, path: string): Promise<Row<'repository'> | undefined>
}

export function createRepositoryReads(db: Db): RepositoryReads {
  /** The folded counters and, beside them, what is not folded yet. */
  function counted(project: number) {
    return db.query
      .selectFrom('repository')
      .leftJoin(
        (eb) =>
          eb
            .selectFrom('usage_delta')
            .select(({ fn }) => [
              'repository',
              fn.sum<number>('logical_bytes').as('bytes'),
              fn.sum<number>('manifest_count').as('manifests'),
              fn.sum<number>('tag_count').as('tags'),
            ])
            .where('project', '=', project)
            .groupBy('repository')
            .as('delta'),
        (join) => join.onRef('delta.repository', '=', 'repository.id'),
      )
      .selectAll('repository')
      .select((eb) => [
        'delta.bytes',
        'delta.manifests',
        'delta.tags',
        eb
          .selectFrom('tag')
          .select(({ fn }) => fn.countAll<number>().as('count'))
          .whereRef('tag.repository', '=', 'repository.id')
          .where('tag.accessory', '=', sql.lit(1))
          .as('accessories'),
      ])
      .where('repository.project', '=', project)
      .where('repository.state', '=', LIVE)
  }

  return {
    async list(project, { after, limit, nameHas }) {
      let query = counted(project).orderBy('repository.name').limit(limit)
      if (after !== undefined) query = query.where('repository.name', '>', after)
      if (nameHas) query = query.where(containing('repository.name', nameHas))
      return (await query.execute()).map(summed)
    },

    async read(project, path) {
      const row = await counted(project).where('repository.name', '=', path).executeTakeFirst()
      return row && summed(row)
    },
  }
}

interface Deltas {
  bytes: number | null
  manifests: number | null
  tags: number | null
  accessories: number | null
}

function summed({ bytes, manifests, tags, accessories, ...row }: Row<'repository'> & Deltas) {
  return {
    ...row,
    logical_bytes: row.logical_bytes + (bytes ?? 0),
    manifest_count: row.manifest_count + (manifests ?? 0),
    tag_count: row.tag_count + (tags ?? 0) - (accessories ?? 0),
  }
}

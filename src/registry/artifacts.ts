import { sql } from 'kysely'
import type { Digest } from '../oci/digest.ts'
import type { Db } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import { type ArtifactSummary, parentsOf, summariesOf } from './artifact-summaries.ts'

/** A manifest of a repository, as people see it. */
export interface Artifact extends ArtifactSummary {
  /** The first ones in byte order, at most `MOST_TAGS`: some manifests have thousands. */
  tags: string[]
  tagCount: number
  pushedAt: number
  /** The name of who pushed it first; null: nobody who is known now. */
  pushedBy: string | null
}

/** Tags of one artifact that are told. */
const MOST_TAGS = 50

export interface Artifacts {
  /** Newest first. @param page.before only artifacts with a smaller id */
  list(repository: number, page: { before?: number; limit: number }): Promise<Artifact[]>
  get(repository: number, digest: Digest): Promise<Artifact | undefined>
  /** Of what tags of a list point at, by id. */
  summaries(repository: number, ids: readonly number[]): Promise<Map<number, ArtifactSummary>>
  /** The indexes that contain it, by digest; at most twenty. */
  parents(repository: number, digest: Digest): Promise<string[]>
}

/** Tags have no commas. Read off an index, however many there are. */
const FIRST_TAGS = sql<string | null>`(select string_agg(first.name, ',' order by first.name) from (
  select name from tag where tag.manifest = page.id order by name limit ${sql.lit(MOST_TAGS)}) first)`

export function createArtifacts({ db }: { db: Db }): Artifacts {
  function manifests(repository: number, limit: number) {
    return db.query
      .selectFrom('manifest')
      .selectAll()
      .where('repository', '=', repository)
      .where('state', '=', LIVE)
      .orderBy('id', 'desc')
      .limit(limit)
  }

  /** The page first, then its names and tags: one statement, which counts artifacts. */
  async function read(repository: number, page: ReturnType<typeof manifests>): Promise<Artifact[]> {
    const rows = await db.query
      .selectFrom(page.as('page'))
      .leftJoin('account', 'account.id', 'page.pushed_by')
      .select([
        'page.id as id',
        'page.created_at as pushedAt',
        'account.name as pushedBy',
        FIRST_TAGS.as('tags'),
        sql<number>`(select count(*) from tag where tag.manifest = page.id)`.as('tagCount'),
      ])
      .orderBy('page.id', 'desc')
      .execute()
    const ids = rows.map(({ id }) => id)
    const summaries = await summariesOf(db, repository, ids)
    return rows.flatMap(({ tags, ...row }) => {
      const summary = summaries.get(row.id)
      return summary ? [{ ...summary, ...row, tags: tags?.split(',') ?? [] }] : []
    })
  }

  return {
    list(repository, { before, limit }) {
      const page = manifests(repository, limit)
      return read(repository, before === undefined ? page : page.where('id', '<', before))
    },

    async get(repository, digest) {
      const [artifact] = await read(
        repository,
        manifests(repository, 1).where('digest', '=', digest),
      )
      return artifact
    },

    summaries: (repository, ids) => summariesOf(db, repository, ids),
    parents: (repository, digest) => parentsOf(db, repository, digest),
  }
}

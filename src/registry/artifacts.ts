import type { Digest } from '../oci/digest.ts'
import type { Db } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import { type ArtifactSummary, parentsOf, summariesOf } from './artifact-summaries.ts'

/** A manifest of a repository, as people see it. */
export interface Artifact extends ArtifactSummary {
  /** In byte order. */
  tags: string[]
  pushedAt: number
  /** The name of who pushed it first; null: nobody who is known now. */
  pushedBy: string | null
}

export interface Artifacts {
  /** Newest first. @param page.before only artifacts with a smaller id */
  list(repository: number, page: { before?: number; limit: number }): Promise<Artifact[]>
  get(repository: number, digest: Digest): Promise<Artifact | undefined>
  /** Of what tags of a list point at, by id. */
  summaries(repository: number, ids: readonly number[]): Promise<Map<number, ArtifactSummary>>
  /** The indexes that contain it, by digest; at most twenty. */
  parents(repository: number, digest: Digest): Promise<string[]>
}

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

  /** The page first, then its tags and names: one statement, whose limit counts artifacts. */
  async function read(repository: number, page: ReturnType<typeof manifests>): Promise<Artifact[]> {
    const rows = await db.query
      .selectFrom(page.as('page'))
      .leftJoin('account', 'account.id', 'page.pushed_by')
      .leftJoin('tag', 'tag.manifest', 'page.id')
      .select([
        'page.id as id',
        'page.created_at as pushedAt',
        'account.name as pushedBy',
        'tag.name as tag',
      ])
      .orderBy('page.id', 'desc')
      .orderBy('tag.name')
      .execute()
    const ids = rows.map(({ id }) => id)
    const summaries = await summariesOf(db, repository, ids)
    const artifacts = new Map<number, Artifact>()
    for (const { tag, ...row } of rows) {
      const summary = summaries.get(row.id)
      if (!summary) continue
      const artifact = artifacts.get(row.id) ?? { ...summary, ...row, tags: [] }
      if (tag !== null) artifact.tags.push(tag)
      artifacts.set(row.id, artifact)
    }
    return [...artifacts.values()]
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

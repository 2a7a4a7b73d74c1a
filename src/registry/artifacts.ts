import type { Digest } from '../oci/digest.ts'
import type { Db } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'

/** A manifest of a repository, as people see it. */
export interface Artifact {
  id: number
  digest: string
  mediaType: string
  artifactType: string | null
  kind: 'image' | 'index'
  /** Of the manifest itself, bytes. */
  size: number
  /** Digest of the manifest that this one refers to. */
  subject: string | null
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
  async function read(page: ReturnType<typeof manifests>): Promise<Artifact[]> {
    const rows = await db.query
      .selectFrom(page.as('page'))
      .leftJoin('account', 'account.id', 'page.pushed_by')
      .leftJoin('tag', 'tag.manifest', 'page.id')
      .select([
        'page.id as id',
        'page.digest as digest',
        'page.media_type as mediaType',
        'page.artifact_type as artifactType',
        'page.kind as kind',
        'page.size as size',
        'page.subject as subject',
        'page.created_at as pushedAt',
        'account.name as pushedBy',
        'tag.name as tag',
      ])
      .orderBy('page.id', 'desc')
      .orderBy('tag.name')
      .execute()
    const artifacts = new Map<number, Artifact>()
    for (const { tag, ...row } of rows) {
      const artifact = artifacts.get(row.id) ?? { ...row, tags: [] }
      if (tag !== null) artifact.tags.push(tag)
      artifacts.set(row.id, artifact)
    }
    return [...artifacts.values()]
  }

  return {
    list(repository, { before, limit }) {
      const page = manifests(repository, limit)
      return read(before === undefined ? page : page.where('id', '<', before))
    },

    async get(repository, digest) {
      const [artifact] = await read(manifests(repository, 1).where('digest', '=', digest))
      return artifact
    },
  }
}

import type { RepositoryName } from '../oci/reference.ts'
import type { Db } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'

/** What the referrers API says of one manifest (distribution-spec, "Listing Referrers"). */
export interface Referrer {
  mediaType: string
  digest: string
  size: number
  artifactType?: string
  annotations?: Record<string, string>
}

export interface Referrers {
  /**
   * Manifests that name `subject`, in the order of their digests. A repository or subject that
   * nobody ever pushed has none, which is no error.
   * @param artifactTypes only these; empty: all
   */
  list(
    name: RepositoryName,
    subject: string,
    page: { artifactTypes: readonly string[]; after?: string; limit: number },
  ): Promise<Referrer[]>
}

export function createReferrers({ db }: { db: Db }): Referrers {
  return {
    async list(name, subject, { artifactTypes, after, limit }) {
      let query = db.query
        .selectFrom('project')
        .innerJoin('repository', 'repository.project', 'project.id')
        .innerJoin('manifest', 'manifest.repository', 'repository.id')
        .select([
          'manifest.media_type',
          'manifest.digest',
          'manifest.size',
          'manifest.artifact_type',
          'manifest.annotations',
        ])
        .where('project.name', '=', name.project)
        .where('project.state', '=', LIVE)
        .where('repository.name', '=', name.path)
        .where('repository.state', '=', LIVE)
        .where('manifest.subject', '=', subject)
        .where('manifest.state', '=', LIVE)
        .orderBy('manifest.digest')
        .limit(limit)
      if (after !== undefined) query = query.where('manifest.digest', '>', after)
      if (artifactTypes.length > 0) {
        query = query.where('manifest.artifact_type', 'in', [...artifactTypes])
      }
      return (await query.execute()).map((row) => ({
        mediaType: row.media_type,
        digest: row.digest,
        size: row.size,
        ...(row.artifact_type ? { artifactType: row.artifact_type } : {}),
        ...(row.annotations ? { annotations: JSON.parse(row.annotations) } : {}),
      }))
    },
  }
}

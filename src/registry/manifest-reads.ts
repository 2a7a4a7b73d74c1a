import { shareReads } from '../lib/shared-reads.ts'
import type { Digest } from '../oci/digest.ts'
import type { Db } from '../store/db/database.ts'
import { LIVE, prepare } from '../store/db/prepared.ts'

interface InRepository {
  project: string
  path: string
}

/** What every pull begins with: one statement each, by tag or by digest, with the bytes or not. */
export function prepareManifestReads(db: Db) {
  const inRepository = ({ project, path }: InRepository) =>
    db.query
      .selectFrom('project')
      .innerJoin('repository', 'repository.project', 'project.id')
      .where('project.name', '=', project)
      .where('project.state', '=', LIVE)
      .where('repository.name', '=', path)
      .where('repository.state', '=', LIVE)
  const byDigest = (asked: InRepository & { digest: Digest }) =>
    inRepository(asked)
      .innerJoin('manifest', 'manifest.repository', 'repository.id')
      .where('manifest.digest', '=', asked.digest)
      .where('manifest.state', '=', LIVE)
  const byTag = (asked: InRepository & { tag: string }) =>
    inRepository(asked)
      .innerJoin('tag', 'tag.repository', 'repository.id')
      .innerJoin('manifest', 'manifest.id', 'tag.manifest')
      .where('tag.name', '=', asked.tag)
  const head = [
    'manifest.id',
    'manifest.digest',
    'manifest.media_type as mediaType',
    'manifest.size',
  ] as const

  const headByDigest = prepare(db, (asked: Parameters<typeof byDigest>[0]) =>
    byDigest(asked).select(head),
  )
  const headByTag = prepare(db, (asked: Parameters<typeof byTag>[0]) => byTag(asked).select(head))
  const getByDigest = prepare(db, (asked: Parameters<typeof byDigest>[0]) =>
    byDigest(asked)
      .innerJoin('content_body', 'content_body.content', 'manifest.content')
      .select([...head, 'content_body.bytes']),
  )
  const getByTag = prepare(db, (asked: Parameters<typeof byTag>[0]) =>
    byTag(asked)
      .innerJoin('content_body', 'content_body.content', 'manifest.content')
      .select([...head, 'tag.id as tagId', 'content_body.bytes']),
  )

  return {
    headByDigest: shareReads(digestKey, headByDigest),
    headByTag: shareReads(tagKey, headByTag),
    getByDigest: shareReads(digestKey, getByDigest),
    getByTag: shareReads(tagKey, getByTag),
  }
}

/* None of the three can have a space in it. */

function digestKey({ project, path, digest }: InRepository & { digest: Digest }): string {
  return `${project} ${path} ${digest}`
}

function tagKey({ project, path, tag }: InRepository & { tag: string }): string {
  return `${project} ${path} ${tag}`
}

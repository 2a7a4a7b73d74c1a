import type { Db } from '../../../store/db/database.ts'
import { foldUsage } from '../../usage.ts'

/** All that a rebuild has to bring back, in words that two databases share. */
export async function stateOf(db: Db) {
  while ((await foldUsage(db)) > 0);
  const { query } = db
  const live = query.selectFrom('repository').select('id').where('state', '=', 'live')
  return {
    projects: await query
      .selectFrom('project')
      .innerJoin('project_usage', 'project_usage.project', 'project.id')
      .select(['id', 'name', 'alias', 'kind', 'is_public', 'quota', 'description', 'created_at'])
      .select(['logical_bytes', 'unique_bytes', 'repository_count'])
      .where('state', '=', 'live')
      .orderBy('id')
      .execute(),
    repositories: await query
      .selectFrom('repository')
      .select(['id', 'project', 'name', 'summary', 'description', 'created_at'])
      .select(['logical_bytes', 'manifest_count', 'artifact_count', 'tag_count'])
      .where('state', '=', 'live')
      .orderBy('id')
      .execute(),
    blobs: (
      await query
        .selectFrom('repository_blob')
        .innerJoin('content', 'content.id', 'repository_blob.content')
        .leftJoin('content_body', 'content_body.content', 'content.id')
        .select(['repository', 'digest', 'content.id', 'sha256', 'size', 'storage_key', 'bytes'])
        .select(['repository_blob.created_at', 'unreferenced_since'])
        .where('repository', 'in', live)
        .orderBy('repository')
        .orderBy('digest')
        .execute()
    ).map(({ bytes, unreferenced_since: since, ...row }) => ({
      ...row,
      // Larger ones are read from the file; they may be here too.
      bytes: row.storage_key === null && bytes ? Buffer.from(bytes).toString('hex') : null,
      isReferenced: since === null,
    })),
    manifests: (
      await query
        .selectFrom('manifest')
        .innerJoin('content_body', 'content_body.content', 'manifest.content')
        .selectAll('manifest')
        .select('bytes')
        .where('state', '=', 'live')
        .where('repository', 'in', live)
        .orderBy('id')
        .execute()
    ).map(({ untagged_since: since, bytes, ...row }) => ({
      ...row,
      isTagged: since === null,
      bytes: Buffer.from(bytes).toString('hex'),
    })),
    edges: await query
      .selectFrom('manifest_ref')
      .innerJoin('manifest', 'manifest.id', 'parent')
      .selectAll('manifest_ref')
      .where('manifest.state', '=', 'live')
      .where('manifest.repository', 'in', live)
      .orderBy('parent')
      .orderBy('position')
      .execute(),
    tags: await query
      .selectFrom('tag')
      .selectAll()
      .where('repository', 'in', live)
      .orderBy('id')
      .execute(),
    links: await query
      .selectFrom('project_content')
      .selectAll()
      .orderBy('project')
      .orderBy('content')
      .execute(),
  }
}

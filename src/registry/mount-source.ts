import type { Authorizer, ProjectRef } from '../accounts/authorize.ts'
import type { Principal } from '../accounts/principal.ts'
import type { Digest } from '../oci/digest.ts'
import type { RepositoryName } from '../oci/reference.ts'
import type { Db } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'

/** Repositories that are tried for a mount without a source. */
const MOUNT_CANDIDATES = 20

/**
 * A content with this digest in a repository that the caller may pull from; undefined: none, for
 * whatever reason.
 */
export async function findMountSource(
  { db, authorizer }: { db: Db; authorizer: Authorizer },
  principal: Principal,
  digest: Digest,
  source: RepositoryName | undefined,
): Promise<number | undefined> {
  let query = db.query
    .selectFrom('repository_blob')
    .innerJoin('content', 'content.id', 'repository_blob.content')
    .innerJoin('repository', 'repository.id', 'repository_blob.repository')
    .innerJoin('project', 'project.id', 'repository.project')
    .select([
      'content.id as content',
      'repository.name as path',
      'project.id as id',
      'project.name as name',
      'project.is_public as isPublic',
    ])
    .where('repository_blob.digest', '=', digest)
    .where('content.state', '=', LIVE)
    .where('repository.state', '=', LIVE)
    .where('project.state', '=', LIVE)
    .limit(MOUNT_CANDIDATES)
  if (!source && !principal.isAdmin) {
    query = query.where((eb) =>
      eb.or([
        eb('project.is_public', '=', 1),
        eb(
          'project.id',
          'in',
          eb
            .selectFrom('member')
            .select('project')
            .where('account', '=', principal.account ?? -1),
        ),
      ]),
    )
  }
  if (source) {
    query = query
      .where('project.name', '=', source.project)
      .where('repository.name', '=', source.path)
  }
  // A token names the repositories it is for; without a source only the account can be asked.
  const { scope, ...account } = principal
  const asker = source ? principal : account
  for (const row of await query.execute()) {
    const project: ProjectRef = { id: row.id, name: row.name, isPublic: row.isPublic === 1 }
    const decision = await authorizer.authorize(asker, 'repository:pull', {
      kind: 'repository',
      repository: `${row.name}/${row.path}`,
      project,
    })
    if (decision.allowed) return row.content
  }
  return undefined
}

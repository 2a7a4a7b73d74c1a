import { sql } from 'kysely'
import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import type { Digest } from '../oci/digest.ts'
import type { RepositoryName } from '../oci/reference.ts'
import type { Also, Db, Queryable, Tx } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import { unlinkContent } from './content.ts'
import { partsOf, relist } from './listing.ts'
import type { Repositories } from './repositories.ts'
import type { OpenRepository } from './repository-openings.ts'
import type { Tags } from './tags.ts'
import { charge, noChange } from './usage.ts'

export interface RemoveOptions {
  /** Refuse what an index of the repository refers to. */
  refuseReferenced?: boolean
  /** Refuse what signatures or other referrers point at. */
  refuseSubjects?: boolean
  reason?: string
}

/** The one way to delete a manifest: see `Manifests.remove`. */
export function createRemoval(deps: {
  db: Db
  clock: Clock
  repositories: Repositories
  tags: Tags
}) {
  const { db, clock, repositories, tags } = deps

  return async (
    name: RepositoryName,
    digest: Digest,
    actor: number | null,
    options: RemoveOptions = {},
    also?: Also,
  ): Promise<void> => {
    await db.transaction(async (tx) => {
      const repository = await repositories.openExisting(tx, name)
      const query = tx
        .selectFrom('manifest')
        .select(['id', 'content', 'size', 'digest', 'listed'])
        .where('repository', '=', repository.id)
        .where('digest', '=', digest)
        .where('state', '=', LIVE)
      // Blobs, tags, manifest: in the order in which a push locks them.
      const found = await query.executeTakeFirst()
      if (!found) throw manifestUnknown(name, digest)
      await lockBlobsOf(db, tx, repository.id, found.id)
      await tags.lockAllOf(tx, found.id)
      const manifest = await db.engine
        .lockRows(query.where('id', '=', found.id), 'update')
        .executeTakeFirst()
      if (!manifest) throw manifestUnknown(name, digest)
      await demandRemovable(tx, repository, digest, options)
      await demandNotProtected(tx, repository, digest)
      const change = noChange()
      await tags.removeAllOf(tx, repository, manifest, actor, change)
      await tx
        .updateTable('manifest')
        .set({
          state: 'trashed',
          trashed_at: clock(),
          trashed_by: actor,
          trash_reason: options.reason ?? 'delete',
        })
        .where('id', '=', manifest.id)
        .execute()
      await noteUnreferenced(tx, repository.id, manifest.id, clock())
      change.manifests -= 1
      change.artifacts -= manifest.listed
      await relist(db, tx, await partsOf(tx, repository.id, manifest.id), clock(), change)
      await unlinkContent(
        tx,
        repository.project.id,
        { id: manifest.content, size: manifest.size },
        change,
      )
      await also?.(tx)
      await charge(tx, repository.project, repository.id, change)
    })
  }
}

function childrenOf(tx: Tx, manifest: number) {
  return tx.selectFrom('manifest_ref').select('child').where('parent', '=', manifest)
}

/** Two deletions that both held a blob must see each other, so one waits for the other here. */
async function lockBlobsOf(db: Db, tx: Tx, repository: number, manifest: number): Promise<void> {
  await db.engine
    .lockRows(
      tx
        .selectFrom('repository_blob')
        .select('digest')
        .where('repository', '=', repository)
        .where('digest', 'in', childrenOf(tx, manifest))
        .orderBy('content')
        .orderBy('digest'),
      'update',
    )
    .execute()
}

/** Blobs that no other live manifest of the repository refers to wait for the collector. */
async function noteUnreferenced(
  tx: Tx,
  repository: number,
  manifest: number,
  now: number,
): Promise<void> {
  const children = childrenOf(tx, manifest)
  await tx
    .updateTable('repository_blob')
    .set({ unreferenced_since: now })
    .where('repository', '=', repository)
    .where('unreferenced_since', 'is', null)
    .where('digest', 'in', children)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('manifest_ref as other')
            .innerJoin('manifest', 'manifest.id', 'other.parent')
            .select(sql<number>`1`.as('one'))
            .where('other.repository', '=', repository)
            .whereRef('other.child', '=', 'repository_blob.digest')
            .where('manifest.state', '=', LIVE),
        ),
      ),
    )
    .execute()
}

async function demandRemovable(
  query: Queryable,
  repository: OpenRepository,
  digest: Digest,
  { refuseReferenced, refuseSubjects }: RemoveOptions,
): Promise<void> {
  if (!refuseReferenced && !refuseSubjects) return
  const parents = await query
    .selectFrom('manifest_ref')
    .innerJoin('manifest', 'manifest.id', 'manifest_ref.parent')
    .select(['manifest.digest', 'manifest_ref.kind'])
    .where('manifest_ref.repository', '=', repository.id)
    .where('manifest_ref.child', '=', digest)
    .where('manifest.state', '=', LIVE)
    .where('manifest_ref.kind', 'in', [
      ...(refuseReferenced ? (['manifest'] as const) : []),
      ...(refuseSubjects ? (['subject'] as const) : []),
    ])
    .limit(1)
    .execute()
  const [parent] = parents
  if (!parent) return
  const how = parent.kind === 'subject' ? 'is attached to it' : 'contains it'
  throw new AppError(
    'in_use',
    `manifest ${digest} of ${repository.name.full} cannot be deleted: ${parent.digest} ${how}`,
  )
}

/**
 * What an immutable tag stands for includes the parts of its index, at any depth.
 * @throws AppError immutable
 */
async function demandNotProtected(
  query: Queryable,
  repository: OpenRepository,
  digest: Digest,
): Promise<void> {
  // SQLite keeps the order of a cross join; its own choice begins with all of the repository.
  const { rows } = await sql<{ name: string }>`
    with recursive above(digest) as (
      select digest from manifest
      where repository = ${repository.id} and digest = ${digest} and state = 'live'
      union
      select m.digest from above cross join manifest_ref r cross join manifest m
      where r.repository = ${repository.id} and r.child = above.digest and r.kind = 'manifest'
        and m.id = r.parent and m.state = 'live'
    )
    select t.name from above cross join manifest m cross join tag t
    where m.repository = ${repository.id} and m.digest = above.digest and m.state = 'live'
      and m.digest <> ${digest} and t.manifest = m.id and t.immutable = 1
    limit 1`.execute(query)
  const [tag] = rows
  if (!tag) return
  throw new AppError(
    'immutable',
    `manifest ${digest} belongs to tag "${tag.name}" of ${repository.name.full}, which is immutable; a maintainer of the project has to lift that first`,
  )
}

export function manifestUnknown(name: RepositoryName, digest: Digest): AppError {
  return new AppError(
    'manifest_unknown',
    `manifest ${digest} is not in repository "${name.full}"`,
    { digest },
  )
}

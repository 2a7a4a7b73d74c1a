import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { isAccessoryTag } from '../oci/accessory.ts'
import type { RepositoryName } from '../oci/reference.ts'
import type { Also, Db, Tx } from '../store/db/database.ts'
import { relist } from './listing.ts'
import { type Repositories, repositoryUnknown } from './repositories.ts'
import { createTagHistory, type TagHistory } from './tag-history.ts'
import { charge, noChange, type UsageChange } from './usage.ts'

export interface TagPage {
  /** Names after this one, in byte order; it need not exist. */
  after?: string
  limit: number
}

/** A tag with the digest it points at. */
export interface TagEntry {
  id: number
  name: string
  digest: string
  mediaType: string
  immutable: boolean
  createdAt: number
  updatedAt: number
}

export interface Tags {
  /** @throws AppError repository_unknown */
  names(name: RepositoryName, page: TagPage): Promise<string[]>
  list(repository: number, page: TagPage): Promise<TagEntry[]>
  find(repository: number, tag: string): Promise<TagEntry | undefined>
  /**
   * The one way to write a tag: points it at a manifest, and remembers what it was before.
   * Returns the manifests that lost the tag, which may have to be listed anew.
   * @throws AppError immutable when it would point at another manifest
   */
  set(tx: Tx, tag: TagWrite, change: UsageChange): Promise<number[]>
  /** @throws AppError manifest_unknown, immutable */
  remove(
    name: RepositoryName,
    tag: string,
    actor: number | null,
    also?: Also<{ digest: string }>,
  ): Promise<void>
  /** Removes the tags of a manifest that goes. @throws AppError immutable */
  removeAllOf(
    tx: Tx,
    repository: { id: number; name: RepositoryName },
    manifest: { id: number; digest: string },
    actor: number | null,
    change: UsageChange,
  ): Promise<void>
  /** @throws AppError manifest_unknown */
  protect(name: RepositoryName, tag: string, immutable: boolean, also?: Also): Promise<TagEntry>
  history: TagHistory['history']
}

export interface TagWrite {
  repository: { id: number; name: RepositoryName }
  tag: string
  manifest: { id: number; digest: string }
  actor: number | null
}

export function createTags(deps: { db: Db; clock: Clock; repositories: Repositories }): Tags {
  const { db, clock, repositories } = deps
  const { remember, history } = createTagHistory({ db, clock })

  /** The tag, locked until the end of the transaction, and what it points at. */
  function lock(tx: Tx, repository: number, tag: string) {
    return db.engine
      .lockRows(
        tx
          .selectFrom('tag')
          .innerJoin('manifest', 'manifest.id', 'tag.manifest')
          .select(['tag.id', 'tag.immutable', 'tag.manifest', 'manifest.digest'])
          .where('tag.repository', '=', repository)
          .where('tag.name', '=', tag),
        'update',
      )
      .executeTakeFirst()
  }

  /** A manifest without a tag waits for the retention rules, from now on. */
  function noteUntagged(tx: Tx, manifest: number) {
    return tx
      .updateTable('manifest')
      .set({ untagged_since: clock() })
      .where('id', '=', manifest)
      .where(({ not, exists, selectFrom }) =>
        not(exists(selectFrom('tag').select('id').where('manifest', '=', manifest))),
      )
      .execute()
  }

  function entries(repository: number) {
    return db.query
      .selectFrom('tag')
      .innerJoin('manifest', 'manifest.id', 'tag.manifest')
      .select([
        'tag.id as id',
        'tag.name as name',
        'manifest.digest as digest',
        'manifest.media_type as mediaType',
        'tag.immutable as immutable',
        'tag.created_at as createdAt',
        'tag.updated_at as updatedAt',
      ])
      .where('tag.repository', '=', repository)
  }

  async function find(repository: number, tag: string): Promise<TagEntry | undefined> {
    const row = await entries(repository).where('tag.name', '=', tag).executeTakeFirst()
    return row && { ...row, immutable: row.immutable === 1 }
  }

  return {
    find,
    history,

    async names(name, { after, limit }) {
      const repository = await repositories.find(name)
      if (!repository) throw repositoryUnknown(name)
      let query = db.query
        .selectFrom('tag')
        .select('name')
        .where('repository', '=', repository.id)
        .orderBy('name')
        .limit(limit)
      if (after !== undefined) query = query.where('name', '>', after)
      return (await query.execute()).map((row) => row.name)
    },

    async list(repository, { after, limit }) {
      let query = entries(repository).orderBy('tag.name').limit(limit)
      if (after !== undefined) query = query.where('tag.name', '>', after)
      return (await query.execute()).map((row) => ({ ...row, immutable: row.immutable === 1 }))
    },

    async set(tx, { repository, tag, manifest, actor }, change) {
      const now = clock()
      const inserted = await tx
        .insertInto('tag')
        .values({
          repository: repository.id,
          name: tag,
          manifest: manifest.id,
          accessory: isAccessoryTag(tag) ? 1 : 0,
          pushed_by: actor,
          created_at: now,
          updated_at: now,
        })
        .onConflict((conflict) => conflict.doNothing())
        .returning('id')
        .executeTakeFirst()
      const old = inserted ? undefined : await lock(tx, repository.id, tag)
      if (old?.manifest === manifest.id) {
        await tx
          .updateTable('tag')
          .set({ pushed_by: actor, updated_at: now })
          .where('id', '=', old.id)
          .execute()
        return []
      }
      if (old) {
        demandMutable(old, repository.name, tag, `it stays at ${old.digest}`)
        await tx
          .updateTable('tag')
          .set({ manifest: manifest.id, pushed_by: actor, updated_at: now })
          .where('id', '=', old.id)
          .execute()
        await noteUntagged(tx, old.manifest)
      } else {
        change.tags += 1
      }
      await tx
        .updateTable('manifest')
        .set({ untagged_since: null })
        .where('id', '=', manifest.id)
        .where('untagged_since', 'is not', null)
        .execute()
      await remember(tx, {
        repository: repository.id,
        name: tag,
        oldDigest: old?.digest ?? null,
        newDigest: manifest.digest,
        actor,
        reason: 'push',
      })
      return old ? [old.manifest] : []
    },

    async remove(name, tag, actor, also) {
      await db.transaction(async (tx) => {
        const repository = await repositories.openExisting(tx, name)
        const old = await lock(tx, repository.id, tag)
        if (!old) throw tagUnknown(name, tag)
        demandMutable(old, name, tag, 'it cannot be deleted')
        await tx.deleteFrom('tag').where('id', '=', old.id).execute()
        await noteUntagged(tx, old.manifest)
        await remember(tx, {
          repository: repository.id,
          name: tag,
          oldDigest: old.digest,
          newDigest: null,
          actor,
          reason: 'delete',
        })
        await also?.(tx, { digest: old.digest })
        const change = { ...noChange(), tags: -1 }
        await relist(db, tx, [old.manifest], change)
        await charge(tx, repository.project, repository.id, change)
      })
    },

    async removeAllOf(tx, repository, manifest, actor, change) {
      const tags = await db.engine
        .lockRows(
          tx
            .selectFrom('tag')
            .select(['id', 'name', 'immutable'])
            .where('manifest', '=', manifest.id)
            .orderBy('id'),
          'update',
        )
        .execute()
      for (const tag of tags) demandMutable(tag, repository.name, tag.name, 'its manifest stays')
      for (const tag of tags) {
        await tx.deleteFrom('tag').where('id', '=', tag.id).execute()
        await remember(tx, {
          repository: repository.id,
          name: tag.name,
          oldDigest: manifest.digest,
          newDigest: null,
          actor,
          reason: 'delete of the manifest',
        })
      }
      change.tags -= tags.length
    },

    async protect(name, tag, immutable, also) {
      const id = await db.transaction(async (tx) => {
        const repository = await repositories.openExisting(tx, name)
        const result = await tx
          .updateTable('tag')
          .set({ immutable: immutable ? 1 : 0, updated_at: clock() })
          .where('repository', '=', repository.id)
          .where('name', '=', tag)
          .executeTakeFirstOrThrow()
        if (result.numUpdatedRows === 0n) throw tagUnknown(name, tag)
        await also?.(tx)
        return repository.id
      })
      const entry = await find(id, tag)
      if (!entry) throw tagUnknown(name, tag)
      return entry
    },
  }
}

function demandMutable(
  row: { immutable: number },
  name: RepositoryName,
  tag: string,
  consequence: string,
): void {
  if (row.immutable !== 1) return
  throw new AppError(
    'immutable',
    `tag "${tag}" of ${name.full} is immutable, so ${consequence}; use another tag, or ask a maintainer of the project to lift the protection`,
  )
}

export function tagUnknown(name: RepositoryName, tag: string): AppError {
  return new AppError('manifest_unknown', `repository "${name.full}" has no tag "${tag}"`, { tag })
}

import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { because } from '../lib/reasons.ts'
import type { RepositoryName } from '../oci/reference.ts'
import type { Also, Db, Tx } from '../store/db/database.ts'
import { statements } from '../store/db/prepared.ts'
import { containing } from '../store/db/search.ts'
import { relist } from './listing.ts'
import type { Repositories } from './repositories.ts'
import { repositoryUnknown } from './repository-openings.ts'
import { createTagHistory, type TagHistory } from './tag-history.ts'
import { createTagWrites, demandMutable, type TagWrites } from './tag-writes.ts'
import { charge, noChange, type UsageChange } from './usage.ts'

export interface TagPage {
  /** Names after this one, in byte order; it need not exist. */
  after?: string
  limit: number
}

/** Which tags a list shows, and in which order. */
export interface TagFilter {
  limit: number
  nameHas?: string
  /** Without those that tools made to attach something. */
  withoutAccessories?: boolean
}

/** A place in the list of the newest. */
export interface TagPosition {
  updatedAt: number
  id: number
}

/** A tag with the digest it points at. */
export interface TagEntry {
  id: number
  name: string
  digest: string
  mediaType: string
  /** The id of what it points at. */
  manifest: number
  immutable: boolean
  createdAt: number
  updatedAt: number
  /** Who pushed it last, by name; null: nobody who is known now. */
  pushedBy: string | null
  pulledAt: number | null
}

export interface Tags {
  /** @throws AppError repository_unknown */
  names(name: RepositoryName, page: TagPage): Promise<string[]>
  /** By name in byte order. */
  list(repository: number, page: TagFilter & { after?: string }): Promise<TagEntry[]>
  /** Those that were set last come first. */
  newest(repository: number, page: TagFilter & { after?: TagPosition }): Promise<TagEntry[]>
  find(repository: number, tag: string): Promise<TagEntry | undefined>
  /**
   * Locks those of the tags that exist. Tags come before manifests, so that a push and a deletion
   * never wait for each other in a circle.
   */
  lock(tx: Tx, repository: number, tags: readonly string[]): Promise<void>
  /** Locks the tags that point at a manifest. */
  lockAllOf(tx: Tx, manifest: number): Promise<void>
  setAll: TagWrites['setAll']
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

export function createTags(deps: { db: Db; clock: Clock; repositories: Repositories }): Tags {
  const { db, clock, repositories } = deps
  const { remember, history } = createTagHistory({ db, clock })
  const { lock, setAll } = createTagWrites({ db, clock, remember })

  /** Of one repository, for who need not know which there are. */
  const lockOnly = statements(
    (on, asked: { repository: number; tag: string }[]) =>
      db.engine.lockRows(
        on
          .selectFrom('tag')
          .select('id')
          .where('repository', '=', asked[0]?.repository ?? 0)
          .where(
            'name',
            'in',
            asked.map(({ tag }) => tag),
          )
          .orderBy('name'),
        'update',
      ),
    { deferred: true },
  )

  /** The tags of a manifest, locked in the order of their names. */
  function locked(tx: Tx, manifest: number) {
    return db.engine.lockRows(
      tx
        .selectFrom('tag')
        .select(['id', 'name', 'immutable'])
        .where('manifest', '=', manifest)
        .orderBy('name'),
      'update',
    )
  }

  function entries(repository: number) {
    return db.query
      .selectFrom('tag')
      .innerJoin('manifest', 'manifest.id', 'tag.manifest')
      .leftJoin('account', 'account.id', 'tag.pushed_by')
      .select([
        'tag.id as id',
        'tag.name as name',
        'manifest.digest as digest',
        'manifest.media_type as mediaType',
        'tag.manifest as manifest',
        'tag.immutable as immutable',
        'tag.created_at as createdAt',
        'tag.updated_at as updatedAt',
        'account.name as pushedBy',
        'tag.pulled_at as pulledAt',
      ])
      .where('tag.repository', '=', repository)
  }

  function filtered(repository: number, { limit, nameHas, withoutAccessories }: TagFilter) {
    let query = entries(repository).limit(limit)
    if (nameHas) query = query.where(containing('tag.name', nameHas))
    if (withoutAccessories) query = query.where('tag.accessory', '=', 0)
    return query
  }

  async function find(repository: number, tag: string): Promise<TagEntry | undefined> {
    const row = await entries(repository).where('tag.name', '=', tag).executeTakeFirst()
    return row && entryOf(row)
  }

  return {
    find,
    history,
    setAll,

    async lock(tx, repository, tags) {
      const asked = tags.map((tag) => ({ repository, tag }))
      if (asked.length > 0) await lockOnly(tx, asked)
    },

    async lockAllOf(tx, manifest) {
      await locked(tx, manifest).execute()
    },

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

    async list(repository, { after, ...filter }) {
      let query = filtered(repository, filter).orderBy('tag.name')
      if (after !== undefined) query = query.where('tag.name', '>', after)
      return (await query.execute()).map(entryOf)
    },

    async newest(repository, { after, ...filter }) {
      let query = filtered(repository, filter)
        .orderBy('tag.updated_at', 'desc')
        .orderBy('tag.id', 'desc')
      if (after) {
        query = query.where((eb) =>
          eb(eb.refTuple('tag.updated_at', 'tag.id'), '<', eb.tuple(after.updatedAt, after.id)),
        )
      }
      return (await query.execute()).map(entryOf)
    },

    async remove(name, tag, actor, also) {
      await db.transaction(async (tx) => {
        const repository = await repositories.openExisting(tx, name)
        const old = await lock(tx, repository.id, tag)
        if (!old) throw tagUnknown(name, tag)
        demandMutable(old, name, tag, 'it cannot be deleted')
        await tx.deleteFrom('tag').where('id', '=', old.id).execute()
        const move = { oldDigest: old.digest, newDigest: null, actor, reason: 'delete' }
        await remember(tx, [{ repository: repository.id, name: tag, ...move }])
        await also?.(tx, { digest: old.digest })
        const change = { ...noChange(), tags: -1 }
        await relist(db, tx, [old.manifest], clock(), change)
        await charge(tx, repository.project, repository.id, change)
      })
    },

    async removeAllOf(tx, repository, manifest, actor, change) {
      const tags = await locked(tx, manifest.id).execute()
      for (const tag of tags) demandMutable(tag, repository.name, tag.name, 'its manifest stays')
      for (const tag of tags) await tx.deleteFrom('tag').where('id', '=', tag.id).execute()
      const reason = 'delete of the manifest'
      const move = { oldDigest: manifest.digest, newDigest: null, actor, reason }
      const moves = tags.map(({ name }) => ({ repository: repository.id, name, ...move }))
      await remember(tx, moves)
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

function entryOf(row: Omit<TagEntry, 'immutable'> & { immutable: number }): TagEntry {
  return { ...row, immutable: row.immutable === 1 }
}

export function tagUnknown(name: RepositoryName, tag: string): AppError {
  return new AppError('manifest_unknown', `repository "${name.full}" has no tag "${tag}"`, {
    tag,
    ...because('tag_unknown', { name: tag }),
  })
}

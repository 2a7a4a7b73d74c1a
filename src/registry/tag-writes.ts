import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { because } from '../lib/reasons.ts'
import { isAccessoryTag } from '../oci/accessory.ts'
import type { RepositoryName } from '../oci/reference.ts'
import type { Db, Tx } from '../store/db/database.ts'
import { statements } from '../store/db/prepared.ts'
import { chunked } from './chunked.ts'
import type { TagHistory } from './tag-history.ts'
import type { UsageChange } from './usage.ts'

/* The one way to write tags: they point at a manifest, and it is remembered what they were before. */

export interface TagWrite {
  tag: string
  manifest: { id: number; digest: string }
}

interface LockedTag {
  id: number
  immutable: number
  manifest: number
  digest: string
}

export interface TagWrites {
  /** The tag, locked until the end of the transaction, and what it points at. */
  lock(tx: Tx, repository: number, tag: string): Promise<LockedTag | undefined>
  /**
   * Sets tags, all different. Returns the manifests that lost one, by its name; they may have to be
   * listed anew.
   * @throws AppError immutable when one would point at another manifest
   */
  setAll(
    tx: Tx,
    repository: { id: number; name: RepositoryName },
    writes: readonly TagWrite[],
    actor: number | null,
    change: UsageChange,
  ): Promise<Map<string, number>>
}

export function createTagWrites(deps: {
  db: Db
  clock: Clock
  remember: TagHistory['remember']
}): TagWrites {
  const { db, clock, remember } = deps

  async function lock(tx: Tx, repository: number, tag: string): Promise<LockedTag | undefined> {
    const row = await db.engine
      .lockRows(
        tx
          .selectFrom('tag')
          .select(['id', 'immutable', 'manifest'])
          .where('repository', '=', repository)
          .where('name', '=', tag),
        'update',
      )
      .executeTakeFirst()
    if (!row) return undefined
    const { digest } = await tx
      .selectFrom('manifest')
      .select('digest')
      .where('id', '=', row.manifest)
      .executeTakeFirstOrThrow()
    return { ...row, digest }
  }

  /** Those that there are not yet. Returns the others. */
  async function insert(
    tx: Tx,
    repository: { id: number; name: RepositoryName },
    writes: readonly TagWrite[],
    actor: number | null,
    change: UsageChange,
  ): Promise<TagWrite[]> {
    const now = clock()
    const rows = writes.map(
      ({ tag, manifest }): NewTag => ({
        repository: repository.id,
        name: tag,
        manifest: manifest.id,
        accessory: isAccessoryTag(tag) ? 1 : 0,
        actor,
        now,
      }),
    )
    const made = new Set<string>()
    for (const some of chunked(rows)) {
      for (const { name } of await insertTags(tx, some)) made.add(name)
    }
    const isNew = ({ tag }: TagWrite) => made.has(tag)
    const moves = writes.filter(isNew).map(({ tag, manifest }) => ({
      repository: repository.id,
      name: tag,
      oldDigest: null,
      newDigest: manifest.digest,
      actor,
      reason: 'push',
    }))
    change.tags += moves.length
    await remember(tx, moves)
    return writes.filter((write) => !isNew(write))
  }

  return {
    lock,

    async setAll(tx, repository, writes, actor, change) {
      const losers = new Map<string, number>()
      // In one order, so that two who set the same ones never wait for each other in a circle.
      const sorted = writes.toSorted((a, b) => (a.tag < b.tag ? -1 : 1))
      let left = await insert(tx, repository, sorted, actor, change)
      while (left.length > 0) {
        const gone: TagWrite[] = []
        for (const write of left) {
          const { tag, manifest } = write
          const old = await lock(tx, repository.id, tag)
          if (!old) {
            gone.push(write)
            continue
          }
          const isMoved = old.manifest !== manifest.id
          if (isMoved) demandMutable(old, repository.name, tag, `it stays at ${old.digest}`)
          await tx
            .updateTable('tag')
            .set({
              ...(isMoved ? { manifest: manifest.id } : {}),
              pushed_by: actor,
              updated_at: clock(),
            })
            .where('id', '=', old.id)
            .execute()
          if (!isMoved) continue
          const move = { oldDigest: old.digest, newDigest: manifest.digest, actor, reason: 'push' }
          await remember(tx, [{ repository: repository.id, name: tag, ...move }])
          losers.set(tag, old.manifest)
        }
        // Again when it is deleted between the two statements.
        left = await insert(tx, repository, gone, actor, change)
      }
      return losers
    },
  }
}

interface NewTag {
  repository: number
  name: string
  manifest: number
  accessory: 0 | 1
  actor: number | null
  now: number
}

const insertTags = statements((on, rows: NewTag[]) =>
  on
    .insertInto('tag')
    .values(
      rows.map((row) => ({
        repository: row.repository,
        name: row.name,
        manifest: row.manifest,
        accessory: row.accessory,
        pushed_by: row.actor,
        created_at: row.now,
        updated_at: row.now,
      })),
    )
    .onConflict((conflict) => conflict.doNothing())
    .returning('name'),
)

export function demandMutable(
  row: { immutable: number },
  name: RepositoryName,
  tag: string,
  consequence: string,
): void {
  if (row.immutable !== 1) return
  throw new AppError(
    'immutable',
    `tag "${tag}" of ${name.full} is immutable, so ${consequence}; use another tag, or ask a maintainer of the project to lift the protection`,
    because('tag_immutable', { name: tag }),
  )
}

import { sql } from 'kysely'
import type { Db, Queryable, Tx } from '../../store/db/database.ts'
import type { NewRow } from '../../store/db/schema.ts'
import type { Flag } from '../../store/db/schema-columns.ts'
import type { KnownTag, SeenTag } from './repository-store.ts'
import { noteTags, settleTags } from './repository-tags.ts'

/* The images of one repository, as they are written by the page. */

const PAGE = 500

export interface RepositoryOf {
  registry: string
  repository: string
  /** Id of the run. */
  sync: number
  now: number
}

/** Those of these that are known, with what is no longer there. */
export async function knownTags(
  on: Queryable,
  { registry, repository }: Pick<RepositoryOf, 'registry' | 'repository'>,
  tags: readonly string[],
): Promise<Map<string, KnownTag>> {
  if (tags.length === 0) return new Map()
  const rows = await on
    .selectFrom('registry_image')
    .select(['tag', 'digest', 'pushed_at'])
    .where('registry', '=', registry)
    .where('repository', '=', repository)
    .where('tag', 'in', [...tags])
    .execute()
  return new Map(rows.map(({ tag, digest, pushed_at: pushedAt }) => [tag, { digest, pushedAt }]))
}

/**
 * Keeps the registry from being deleted until the end of the transaction; false: it is gone. Asked
 * first, in the order in which a deletion takes its locks.
 */
export async function keepRegistry(db: Db, tx: Tx, registry: string): Promise<boolean> {
  const row = tx.selectFrom('registry').select('id').where('id', '=', registry)
  return (await db.engine.lockRows(row, 'keyShare').execute()).length > 0
}

/** Notes those that were seen unchanged, and writes the others, in one transaction. */
export async function writePage(
  db: Db,
  { registry, repository, sync, now }: RepositoryOf,
  unchanged: readonly SeenTag[],
  images: readonly NewRow<'registry_image'>[],
): Promise<void> {
  await db.transaction(
    async (tx) => {
      if (!(await keepRegistry(db, tx, registry))) return
      if (unchanged.length > 0) {
        await tx
          .updateTable('registry_image')
          .set({ sync, synced_at: now, gone_at: null })
          .where('registry', '=', registry)
          .where('repository', '=', repository)
          .where(
            'tag',
            'in',
            unchanged.map(({ tag }) => tag),
          )
          .execute()
      }
      for (const { tag, pushedAt } of unchanged) {
        if (pushedAt === undefined) continue
        await tx
          .updateTable('registry_image')
          .set({ pushed_at: pushedAt, updated_at: pushedAt })
          .where('registry', '=', registry)
          .where('repository', '=', repository)
          .where('tag', '=', tag)
          .execute()
      }
      if (images.length > 0) {
        await noteTags(
          tx,
          { registry, repository },
          images.map(({ tag }) => tag),
        )
        await tx
          .insertInto('registry_image')
          .values([...images])
          .onConflict((conflict) =>
            conflict.columns(['registry', 'repository', 'tag']).doUpdateSet((eb) => ({
              digest: eb.ref('excluded.digest'),
              media_type: eb.ref('excluded.media_type'),
              size: eb.ref('excluded.size'),
              is_multiarch: eb.ref('excluded.is_multiarch'),
              platforms: eb.ref('excluded.platforms'),
              children: eb.ref('excluded.children'),
              pushed_at: eb.ref('excluded.pushed_at'),
              updated_at: eb.ref('excluded.updated_at'),
              synced_at: eb.ref('excluded.synced_at'),
              sync: eb.ref('excluded.sync'),
              gone_at: null,
            })),
          )
          .execute()
      }
    },
    { durable: false },
  )
}

/** Notes that all of a repository is as it was, by the page; returns how many images that are. */
export async function seeUnchanged(db: Db, of: RepositoryOf): Promise<number> {
  const { registry, repository, sync, now } = of
  let images = 0
  for (let after = ''; ; ) {
    const rows = await db.query
      .selectFrom('registry_image')
      .select(['id', 'tag'])
      .where('registry', '=', registry)
      .where('repository', '=', repository)
      .where('gone_at', 'is', null)
      .where('tag', '>', after)
      .orderBy('tag')
      .limit(PAGE)
      .execute()
    const last = rows.at(-1)
    if (!last) break
    after = last.tag
    images += rows.length
    const ids = rows.map(({ id }) => id)
    await db.transaction(
      (tx) =>
        tx
          .updateTable('registry_image')
          .set({ sync, synced_at: now })
          .where('id', 'in', ids)
          .where('gone_at', 'is', null)
          .execute(),
      { durable: false },
    )
  }
  await settleRepository(db, of)
  return images
}

/**
 * Marks what the run did not see, forgets what a former run had marked, and names the youngest that
 * is left. Called when all tags were seen.
 */
export async function settleRepository(db: Db, of: RepositoryOf): Promise<void> {
  const { registry, repository, sync, now } = of
  await db.transaction(
    async (tx) => {
      await tx
        .deleteFrom('registry_image')
        .where('registry', '=', registry)
        .where('repository', '=', repository)
        .where('gone_at', 'is not', null)
        .where('sync', '!=', sync)
        .execute()
      await tx
        .updateTable('registry_image')
        .set({ gone_at: now, latest_version: 0 })
        .where('registry', '=', registry)
        .where('repository', '=', repository)
        .where('sync', '!=', sync)
        .where('gone_at', 'is', null)
        .execute()
      await settleTags(tx, of)
      const youngest = await tx
        .selectFrom('registry_image')
        .select('id')
        .where('registry', '=', registry)
        .where('repository', '=', repository)
        .where('gone_at', 'is', null)
        // As an expression, or SQLite would go through the whole registry by its index of times.
        .orderBy(sql`updated_at + 0`, 'desc')
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst()
      if (!youngest) return
      await tx
        .updateTable('registry_image')
        .set({ latest_version: sql<Flag>`case when id = ${youngest.id} then 1 else 0 end` })
        .where('registry', '=', registry)
        .where('repository', '=', repository)
        .where((eb) => eb.or([eb('latest_version', '=', 1), eb('id', '=', youngest.id)]))
        .execute()
    },
    { durable: false },
  )
}

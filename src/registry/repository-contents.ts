import type { Db, Tx } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'

/* What a repository holds, as a whole: what is charged for when it is removed. */

/**
 * Takes all that a repository holds out of what its project is charged for. Its own rows stay.
 * Returns bytes: `unique` of contents that nothing else of the project holds, `logical` of all.
 */
export async function releaseContents(
  db: Db,
  tx: Tx,
  project: number,
  repository: number,
): Promise<{ unique: number; logical: number }> {
  const unique = await unlinkAll(db, tx, project, repository)
  return { unique, logical: await logicalBytes(tx, repository) }
}

/** All rows of a repository that hold content, one per link. */
function linksOf(tx: Tx, repository: number) {
  return tx
    .selectFrom('repository_blob')
    .select('content')
    .where('repository', '=', repository)
    .unionAll(
      tx
        .selectFrom('manifest')
        .select('content')
        .where('repository', '=', repository)
        .where('state', '=', LIVE),
    )
}

async function logicalBytes(tx: Tx, repository: number): Promise<number> {
  const { logical } = await tx
    .selectFrom(linksOf(tx, repository).as('link'))
    .innerJoin('content', 'content.id', 'link.content')
    .select((eb) => eb.fn.coalesce(eb.fn.sum<number>('content.size'), eb.lit(0)).as('logical'))
    .executeTakeFirstOrThrow()
  return Number(logical)
}

/** Takes a repository's links out of the project's ledger, set-wise. Returns the bytes freed. */
async function unlinkAll(db: Db, tx: Tx, project: number, repository: number): Promise<number> {
  // In one order, so that two removals never wait for each other in a circle.
  await db.engine
    .lockRows(
      tx
        .selectFrom('project_content')
        .select('content')
        .where('project', '=', project)
        .where('content', 'in', linksOf(tx, repository))
        .orderBy('content'),
      'update',
    )
    .execute()
  await tx
    .updateTable('project_content')
    .set((eb) => ({
      links: eb(
        'links',
        '-',
        eb
          .selectFrom(linksOf(tx, repository).as('link'))
          .select((count) => count.fn.countAll<number>().as('n'))
          .whereRef('link.content', '=', 'project_content.content'),
      ),
    }))
    .where('project', '=', project)
    .where('content', 'in', linksOf(tx, repository))
    .execute()
  const freed = await tx
    .deleteFrom('project_content')
    .where('project', '=', project)
    .where('links', '<=', 0)
    .where('content', 'in', linksOf(tx, repository))
    .returning((eb) =>
      eb
        .selectFrom('content')
        .select('size')
        .whereRef('content.id', '=', 'project_content.content')
        .as('size'),
    )
    .execute()
  return freed.reduce((sum, row) => sum + (row.size ?? 0), 0)
}

import { AppError } from '../../../lib/errors.ts'
import { newHex } from '../../../lib/ids.ts'
import type { Db, Queryable, Tx } from '../../../store/db/database.ts'

/** While a rebuild works, or after one that was killed: which journal it reads. */
const SETTING = 'rebuild.journal'
/** Which of several runs may write: the one that began last. */
const RUN_SETTING = 'rebuild.run'

const MUST_BE_EMPTY = [
  ['accounts', 'account'],
  ['projects', 'project'],
  ['content', 'content'],
  ['registries', 'registry'],
] as const

async function unfinished(on: Queryable): Promise<string | undefined> {
  const row = await on
    .selectFrom('setting')
    .select('value')
    .where('key', '=', SETTING)
    .executeTakeFirst()
  return row?.value
}

/** @throws AppError conflict while the database holds only a part of what it should */
export async function demandNoRebuild(db: Db): Promise<void> {
  if ((await unfinished(db.query)) === undefined) return
  throw new AppError(
    'conflict',
    'the database is not complete: "entrepot rebuild" was begun on it and has not finished; run it again',
  )
}

/**
 * Takes an empty database for a rebuild, or one that the same rebuild was writing to.
 * @returns the database as this run may write to it: every transaction fails with `conflict` once
 *   another run has begun or ended, on whichever machine
 * @throws AppError conflict
 */
export async function beginRebuild(db: Db, lineage: string): Promise<Db> {
  const run = newHex(8)
  await db.transaction(async (tx) => {
    // First, so that of two that begin at once the second one sees what the first has done.
    await tx
      .insertInto('setting')
      .values({ key: RUN_SETTING, value: run })
      .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: run }))
      .execute()
    const begun = await unfinished(tx)
    if (begun === lineage) return
    if (begun !== undefined) {
      throw new AppError(
        'conflict',
        `a rebuild from journal ${begun} has begun on this database; go on with that one, or give an empty database`,
      )
    }
    for (const [what, table] of MUST_BE_EMPTY) {
      const row = await tx.selectFrom(table).select('id').limit(1).executeTakeFirst()
      if (!row) continue
      throw new AppError(
        'conflict',
        `the database is not empty: it has ${what}; a rebuild makes a database anew, so move this one away or name an empty one`,
      )
    }
    await tx.insertInto('setting').values({ key: SETTING, value: lineage }).execute()
  })
  return {
    ...db,
    transaction: (work, options) =>
      db.transaction(async (tx) => {
        await demandRun(db, tx, run)
        return work(tx)
      }, options),
  }
}

/** @throws AppError conflict */
async function demandRun(db: Db, tx: Tx, run: string): Promise<void> {
  const query = tx.selectFrom('setting').select('value').where('key', '=', RUN_SETTING)
  const row = await db.engine.lockRows(query, 'share').executeTakeFirst()
  if (row?.value === run) return
  throw new AppError(
    'conflict',
    'another "entrepot rebuild" works on this database, or has finished meanwhile; this one has ended',
  )
}

export async function endRebuild(tx: Tx): Promise<void> {
  await tx.deleteFrom('setting').where('key', 'in', [SETTING, RUN_SETTING]).execute()
}

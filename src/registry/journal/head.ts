import type { Db, Queryable, Tx } from '../../store/db/database.ts'
import type { Row } from '../../store/db/schema.ts'

/*
 * The row that says how far the journal is. Who writes an object reads this row, then what goes into
 * the object, and then reserves the next number on condition that the row is as it was. So whatever
 * has a higher number was read later, whoever wrote it, and a reader who goes by the numbers ends at
 * what was true last.
 */

export type Head = Row<'journal_head'>

/** Another process takes over from a writer that has reserved nothing for so long. */
const LEASE_MS = 15_000

export function readHead(on: Queryable): Promise<Head | undefined> {
  return on.selectFrom('journal_head').selectAll().where('id', '=', 1).executeTakeFirst()
}

/** Makes the row, of a journal that has nothing yet. */
export async function createHead(
  tx: Tx,
  { lineage, replaces }: { lineage: string; replaces: readonly string[] },
): Promise<void> {
  await tx
    .insertInto('journal_head')
    .values({ id: 1, lineage, replaces: replaces.join(',') || null })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

export function replacedBy(head: Head): string[] {
  return head.replaces?.split(',') ?? []
}

/** False: another process writes. */
export async function claimHead(db: Db, writer: string, now: number): Promise<boolean> {
  return db.transaction(
    async (tx) => {
      const { numUpdatedRows } = await tx
        .updateTable('journal_head')
        .set({ writer, writer_until: now + LEASE_MS })
        .where('id', '=', 1)
        .where((eb) => eb.or([eb('writer', '=', writer), eb('writer_until', '<=', now)]))
        .executeTakeFirstOrThrow()
      return numUpdatedRows > 0n
    },
    { durable: false },
  )
}

/** Lets others write at once. */
export async function releaseHead(db: Db, writer: string): Promise<void> {
  await db.transaction((tx) =>
    tx
      .updateTable('journal_head')
      .set({ writer: null, writer_until: 0 })
      .where('writer', '=', writer)
      .execute(),
  )
}

/**
 * Takes the next number, with further changes of the row. undefined: somebody has written, or
 * acknowledged and thus removed changes, since `head` was read, and what was read then must not be
 * written.
 */
export async function reserve(
  tx: Tx,
  head: Head,
  { now, ...more }: Partial<Head> & { now: number },
): Promise<Head | undefined> {
  const row = await tx
    .updateTable('journal_head')
    .set({ ...more, sequence: head.sequence + 1, writer_until: now + LEASE_MS })
    .where('id', '=', 1)
    .where('lineage', '=', head.lineage)
    .where('sequence', '=', head.sequence)
    .where('acknowledged', '=', head.acknowledged)
    .returningAll()
    .executeTakeFirst()
  return row
}

/**
 * Notes that the object of `head.sequence` is stored. undefined: somebody has reserved a number
 * since; the object does no harm, but what it tells will be told again.
 */
export async function acknowledge(
  tx: Tx,
  head: Head,
  more: Partial<Head>,
): Promise<Head | undefined> {
  return tx
    .updateTable('journal_head')
    .set({ ...more, acknowledged: head.sequence })
    .where('id', '=', 1)
    .where('lineage', '=', head.lineage)
    .where('sequence', '=', head.sequence)
    .returningAll()
    .executeTakeFirst()
}

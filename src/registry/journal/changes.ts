import type { Queryable } from '../../store/db/database.ts'
import { LIVE } from '../../store/db/prepared.ts'
import type { Row } from '../../store/db/schema.ts'
import { MOST_BYTES, MOST_RECORDS, within } from './states.ts'

export type Change = Row<'journal_change'>

/**
 * The oldest changes that nobody has written yet, as many as one object takes; `isAll`: there were
 * no more. What is returned is all that is known: a change with a smaller id may still come, of a
 * transaction that has not ended, and whoever removes these must name each.
 */
export async function pendingChanges(
  on: Queryable,
): Promise<{ changes: Change[]; isAll: boolean }> {
  const rows = await on
    .selectFrom('journal_change as c')
    .leftJoin('manifest', (join) =>
      join
        .onRef('manifest.repository', '=', 'c.owner')
        .onRef('manifest.digest', '=', 'c.name')
        .on('c.kind', '=', 'manifest')
        .on('manifest.state', '=', LIVE),
    )
    .leftJoin('repository_blob', (join) =>
      join
        .onRef('repository_blob.repository', '=', 'c.owner')
        .onRef('repository_blob.digest', '=', 'c.name')
        .on('c.kind', '=', 'blob'),
    )
    .leftJoin('content', (join) =>
      join
        .onRef('content.id', '=', 'repository_blob.content')
        .on('content.storage_key', 'is', null),
    )
    .selectAll('c')
    .select(['manifest.size', 'content.size as inline_size'])
    .orderBy('c.id')
    .limit(MOST_RECORDS)
    .execute()
  const some = within(MOST_BYTES, rows, (row) => row.size ?? row.inline_size ?? 0)
  return {
    changes: some.map(({ size, inline_size, ...change }) => change),
    isAll: some.length === rows.length && rows.length < MOST_RECORDS,
  }
}

/** Since when a change waits to be written, by the clock of the database; undefined: none does. */
export async function oldestChange(on: Queryable): Promise<number | undefined> {
  const row = await on
    .selectFrom('journal_change')
    .select('at')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
  return row?.at
}

import { type RawBuilder, sql } from 'kysely'
import type { Db, Tx } from '../store/db/database.ts'
import { LIVE, statements } from '../store/db/prepared.ts'
import { chunked } from './chunked.ts'
import type { UsageChange } from './usage.ts'

/*
 * Which manifests people see as artifacts: not the parts of an index, not signatures, attestations
 * and whatever else is attached to another manifest. A part that somebody tagged is one again.
 */

const LISTED: RawBuilder<0 | 1> = sql`case
  when subject is not null then 0
  when exists (select 1 from tag t where t.manifest = manifest.id and t.accessory = 0) then 1
  when exists (select 1 from tag t where t.manifest = manifest.id) then 0
  when exists (
    select 1 from manifest_ref r join manifest parent on parent.id = r.parent
    where r.repository = manifest.repository and r.child = manifest.digest
      and r.kind = 'manifest' and parent.state = 'live') then 0
  else 1 end`

/**
 * Brings `listed` and `untagged_since` up to date after something around these manifests changed,
 * and counts the difference into `change`. Once per transaction, with all that it touched.
 *
 * @param fresh those that this transaction made: not listed before, and nobody else sees them
 */
export async function relist(
  db: Db,
  tx: Tx,
  manifests: readonly number[],
  now: number,
  change: UsageChange,
  fresh: readonly number[] = [],
): Promise<void> {
  // Locked in one order, so that two transactions never wait for each other in a circle, and not
  // against those who only refer to them.
  const sorted = [...new Set(manifests)].sort((a, b) => a - b)
  if (sorted.every((id) => fresh.includes(id))) {
    for (const ids of chunked(sorted)) {
      const rows = ids.map((id) => ({ id, now }))
      change.artifacts += countListed(await relistFresh(tx, rows))
    }
    return
  }
  for (const ids of chunked(sorted)) {
    const before = await db.engine
      .lockRows(
        tx
          .selectFrom('manifest')
          .select('listed')
          .where('id', 'in', ids)
          .where('state', '=', LIVE)
          .orderBy('id'),
        'noKeyUpdate',
      )
      .execute()
    const after = await tx
      .updateTable('manifest')
      .set({ listed: LISTED, untagged_since: untaggedSince(now) })
      .where('id', 'in', ids)
      .where('state', '=', LIVE)
      .returning('listed')
      .execute()
    change.artifacts += countListed(after) - countListed(before)
  }
}

const relistFresh = statements((on, rows: { id: number; now: number }[]) =>
  on
    .updateTable('manifest')
    .set({ listed: LISTED, untagged_since: untaggedSince(rows[0]?.now ?? 0) })
    .where(
      'id',
      'in',
      rows.map(({ id }) => id),
    )
    .where('state', '=', LIVE)
    .returning('listed'),
)

/** A manifest without a tag waits for the retention rules, from the moment when it lost the last. */
function untaggedSince(now: number): RawBuilder<number | null> {
  return sql`case
    when exists (select 1 from tag t where t.manifest = manifest.id) then null
    else coalesce(untagged_since, cast(${now} as bigint)) end`
}

function countListed(rows: { listed: number }[]): number {
  return rows.reduce((sum, row) => sum + row.listed, 0)
}

/** The live manifests that an index of the repository has as parts. */
export async function partsOf(tx: Tx, repository: number, index: number): Promise<number[]> {
  const rows = await tx
    .selectFrom('manifest_ref')
    .innerJoin('manifest', (join) =>
      join
        .onRef('manifest.repository', '=', 'manifest_ref.repository')
        .onRef('manifest.digest', '=', 'manifest_ref.child'),
    )
    .select('manifest.id')
    .where('manifest_ref.repository', '=', repository)
    .where('manifest_ref.parent', '=', index)
    .where('manifest_ref.kind', '=', 'manifest')
    .where('manifest.state', '=', LIVE)
    .execute()
  return rows.map((row) => row.id)
}

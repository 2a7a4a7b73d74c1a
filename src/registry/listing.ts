import { type RawBuilder, sql } from 'kysely'
import type { Db, Tx } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
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
 * Brings `listed` up to date after something around these manifests changed, and counts the
 * difference into `change`.
 */
export async function relist(
  db: Db,
  tx: Tx,
  manifests: readonly number[],
  change: UsageChange,
): Promise<void> {
  for (const ids of chunked([...new Set(manifests)])) {
    // Locked in one order, so that two transactions never wait for each other in a circle.
    const before = await db.engine
      .lockRows(
        tx
          .selectFrom('manifest')
          .select('listed')
          .where('id', 'in', ids)
          .where('state', '=', LIVE)
          .orderBy('id'),
        'update',
      )
      .execute()
    const after = await tx
      .updateTable('manifest')
      .set({ listed: LISTED })
      .where('id', 'in', ids)
      .where('state', '=', LIVE)
      .returning('listed')
      .execute()
    change.artifacts += countListed(after) - countListed(before)
  }
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

import { saysOf } from '../../lib/stored-says.ts'
import type { Queryable } from '../../store/db/database.ts'
import { reasonsOf, type SyncRow } from './sync-rows.ts'

/** Syncs of a registry, newest first. */
export function listSyncs(
  on: Queryable,
  { registry, before, limit }: { registry: string; before?: number | undefined; limit: number },
): Promise<SyncRow[]> {
  let query = on
    .selectFrom('image_sync')
    .selectAll()
    .where('registry', '=', registry)
    .orderBy('id', 'desc')
    .limit(limit)
  if (before !== undefined) query = query.where('id', '<', before)
  return query.execute()
}

export async function readSync(on: Queryable, id: number) {
  const row = await on.selectFrom('image_sync').selectAll().where('id', '=', id).executeTakeFirst()
  return row && syncViewOf(row)
}

/** A sync as it is shown. */
export function syncViewOf(row: SyncRow) {
  return {
    id: row.id,
    state: row.state,
    trigger: row.trigger,
    repositoriesTotal: row.repositories_total,
    repositoriesDone: row.repositories_done,
    repositoriesFailed: row.repositories_failed,
    images: row.images,
    manifestsRead: row.manifests_read,
    failures: reasonsOf(row),
    error: row.error,
    errorSays: saysOf(row.error, row.error_says),
    note: row.note,
    noteSays: saysOf(row.note, row.note_says),
    errorCode: row.error_code,
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  }
}

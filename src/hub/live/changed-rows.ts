import { sql } from 'kysely'
import type { Queryable } from '../../store/db/database.ts'

export type LiveKind = 'transfer' | 'job' | 'sync' | 'registry' | 'runner'

/** A row that may have changed, with all that tells its states apart. */
export interface MarkedRow {
  kind: LiveKind
  id: string
  mark: string
}

/** More are not told one by one: whoever listens reads again. */
export const MOST_ROWS = 300

/**
 * All that changed since a time, in one statement over four short ranges of indexes. Registries and
 * runners are few and their tests leave no time of change, so all of them are given.
 * @param awaySince a runner that was last heard of before is away
 */
export async function readChangedRows(
  on: Queryable,
  since: number,
  awaySince: number,
): Promise<MarkedRow[]> {
  const { rows } = await sql<MarkedRow>`
    select * from (
      select 'transfer' as kind, cast(id as text) as id,
        updated_at || ' ' || state || ' ' || bytes_sent || ' ' || blobs_done as mark
      from transfer where updated_at >= ${since} order by updated_at desc limit ${MOST_ROWS}
    ) as transfers
    union all select * from (
      select 'job' as kind, cast(id as text) as id,
        updated_at || ' ' || state || ' ' || attempts || ' ' || cancel_requested as mark
      from job where updated_at >= ${since} order by updated_at desc limit ${MOST_ROWS}
    ) as jobs
    union all select 'sync' as kind, cast(id as text) as id,
      state || ' ' || repositories_total || ' ' || repositories_done || ' ' || images || ' ' ||
        repositories_failed || ' ' || coalesce(error, '') as mark
      from image_sync where finished_at is null
    union all select 'sync' as kind, cast(id as text) as id, state || ' ' || finished_at as mark
      from image_sync where finished_at >= ${since}
    union all select 'registry' as kind, registry.id,
      version || ' ' || health || ' ' || coalesce(checked_at, 0) || ' ' || images_num || ' ' ||
        coalesce(latest_sync_at, 0) || ' ' || coalesce(credential_expires_at, 0) || ' ' ||
        case when d.registry is null then '' else 'default' end as mark
      from registry left join registry_default as d on d.registry = registry.id
    union all select 'runner' as kind, r.id,
      r.state || ' ' || r.key_epoch || ' ' || r.version || ' ' || coalesce(r.last_seen_at, 0) || ' ' ||
        case when coalesce(r.last_seen_at, 0) > ${awaySince} then 'there ' else '' end ||
        (select count(*) from registry as g where g.connect_cluster_id = r.id) || ' ' ||
        (select count(*) from runner_task as w where w.runner = r.id and w.state = 'queued') || ' ' ||
        (select count(*) from runner_task as l where l.runner = r.id and l.state = 'leased') as mark
    from runner as r
  `.execute(on)
  return rows
}

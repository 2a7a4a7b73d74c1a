import { sql } from 'kysely'
import { AppError } from '../lib/errors.ts'
import { formatBytes } from '../lib/format.ts'
import { because } from '../lib/reasons.ts'
import type { Db, Queryable, Tx } from '../store/db/database.ts'
import { statement } from '../store/db/prepared.ts'

/*
 * What a project uses. `logical` counts a blob once per repository, `unique` once per project;
 * manifests count, trash does not. Changes are appended as deltas, so that pushes do not queue up
 * for one row; a job folds them. Only a project with a quota updates its sum in the transaction,
 * as the last statement, and on the condition that it fits.
 */

const FOLD_BATCH = 5_000

/** What one transaction changed in one repository. */
export interface UsageChange {
  logicalBytes: number
  uniqueBytes: number
  manifests: number
  tags: number
  /** Manifests that became listed, less those that are not any more. */
  artifacts: number
  repositories: number
}

export interface ProjectUsage {
  logicalBytes: number
  uniqueBytes: number
}

/** The part of a project's row that charging needs; locked by the caller. */
export interface ChargedProject {
  id: number
  name: string
  quota: number
}

export const noChange = (): UsageChange => ({
  logicalBytes: 0,
  uniqueBytes: 0,
  manifests: 0,
  tags: 0,
  artifacts: 0,
  repositories: 0,
})

/**
 * Books a change. Must be the last statement of the transaction, since it may lock the project's
 * sum.
 * @throws AppError quota_exceeded
 */
export async function charge(
  tx: Tx,
  project: ChargedProject,
  repository: number,
  change: UsageChange,
): Promise<void> {
  const limited = project.quota >= 0
  const { logicalBytes, uniqueBytes, manifests, tags, artifacts, repositories } = change
  if (Object.values(change).some((delta) => delta !== 0)) {
    await insertDelta(tx, {
      project: project.id,
      repository,
      logicalBytes,
      uniqueBytes: limited ? 0 : uniqueBytes,
      manifests,
      tags,
      artifacts,
      repositories,
    })
  }
  if (!limited || uniqueBytes === 0) return
  const result = await tx
    .updateTable('project_usage')
    .set((eb) => ({ unique_bytes: eb('unique_bytes', '+', uniqueBytes) }))
    .where('project', '=', project.id)
    .where((eb) =>
      uniqueBytes < 0
        ? eb.lit(true)
        : eb(eb('unique_bytes', '+', uniqueBytes), '<=', project.quota),
    )
    .executeTakeFirstOrThrow()
  if (result.numUpdatedRows === 0n) {
    const usage = await usageOf(tx, project.id)
    throw quotaError(project, usage.uniqueBytes, uniqueBytes)
  }
}

const insertDelta = statement(
  (on, delta: UsageChange & { project: number; repository: number }) =>
    on.insertInto('usage_delta').values({
      project: delta.project,
      repository: delta.repository,
      logical_bytes: delta.logicalBytes,
      unique_bytes: delta.uniqueBytes,
      manifest_count: delta.manifests,
      tag_count: delta.tags,
      artifact_count: delta.artifacts,
      repository_count: delta.repositories,
    }),
  { deferred: true },
)

/** An upload without activity for so long holds no room: a broken push must not block the next. */
const UPLOAD_HOLDS_ROOM_MS = 10 * 60_000

/**
 * Refuses early what will not fit, beside what is stored and what is being uploaded now.
 * @throws AppError quota_exceeded
 */
export async function demandRoom(
  query: Queryable,
  project: ChargedProject,
  bytes: number,
  now: number,
): Promise<void> {
  if (project.quota < 0) return
  const { uniqueBytes } = await usageOf(query, project.id)
  const { open } = await query
    .selectFrom('upload')
    .select(({ fn, lit }) => fn.coalesce(fn.sum<number>('offset'), lit(0)).as('open'))
    .where('updated_at', '>', now - UPLOAD_HOLDS_ROOM_MS)
    .where('project_name', '=', project.name)
    .where('state', '=', 'open')
    .executeTakeFirstOrThrow()
  const used = uniqueBytes + Number(open)
  if (used + bytes > project.quota) throw quotaError(project, used, bytes)
}

/** Exact: the folded sum and what is not folded yet. */
export async function usageOf(query: Queryable, project: number): Promise<ProjectUsage> {
  const row = await query
    .selectFrom('project_usage')
    .select((eb) => [
      'logical_bytes',
      'unique_bytes',
      eb
        .selectFrom('usage_delta')
        .select(sql<number>`coalesce(sum(logical_bytes), 0)`.as('sum'))
        .where('project', '=', project)
        .as('logical_delta'),
      eb
        .selectFrom('usage_delta')
        .select(sql<number>`coalesce(sum(unique_bytes), 0)`.as('sum'))
        .where('project', '=', project)
        .as('unique_delta'),
    ])
    .where('project', '=', project)
    .executeTakeFirst()
  return {
    logicalBytes: (row?.logical_bytes ?? 0) + (row?.logical_delta ?? 0),
    uniqueBytes: (row?.unique_bytes ?? 0) + (row?.unique_delta ?? 0),
  }
}

/** What several projects use, in one statement. Exact, as `usageOf`. */
export async function usagesOf(
  query: Queryable,
  projects: readonly number[],
): Promise<Map<number, ProjectUsage & { repositories: number }>> {
  if (projects.length === 0) return new Map()
  const ids = sql.join(projects)
  const { rows } = await sql<{
    project: number
    logical: number
    own: number
    repositories: number
  }>`
    select project, sum(logical_bytes) as logical, sum(unique_bytes) as own,
      sum(repository_count) as repositories
    from (
      select project, logical_bytes, unique_bytes, repository_count
      from project_usage where project in (${ids})
      union all
      select project, logical_bytes, unique_bytes, repository_count
      from usage_delta where project in (${ids})
    ) part group by project`.execute(query)
  return new Map(
    rows.map((row) => [
      row.project,
      {
        logicalBytes: Number(row.logical),
        uniqueBytes: Number(row.own),
        repositories: Number(row.repositories),
      },
    ]),
  )
}

/** Folds all deltas of one project. */
export async function foldProject(tx: Tx, project: number): Promise<void> {
  const deltas = await tx
    .deleteFrom('usage_delta')
    .where('project', '=', project)
    .returningAll()
    .execute()
  await applyDeltas(tx, deltas)
}

/** Folds one batch, oldest first. Returns how many deltas it took; less than asked: all done. */
export async function foldUsage(db: Db, batch = FOLD_BATCH): Promise<number> {
  return db.transaction(async (tx) => {
    const oldest = await db.engine
      .lockFreeRows(tx.selectFrom('usage_delta').select('id').orderBy('id').limit(batch))
      .execute()
    if (oldest.length === 0) return 0
    const deltas = await tx
      .deleteFrom('usage_delta')
      .where(
        'id',
        'in',
        oldest.map((row) => row.id),
      )
      .returningAll()
      .execute()
    await applyDeltas(tx, deltas)
    return deltas.length
  })
}

interface Delta {
  project: number
  repository: number
  logical_bytes: number
  unique_bytes: number
  manifest_count: number
  tag_count: number
  artifact_count: number
  repository_count: number
}

/** Repositories first: whoever removes one holds it before it is charged to the project. */
async function applyDeltas(tx: Tx, deltas: Delta[]): Promise<void> {
  for (const [repository, sum] of sumBy(deltas, (delta) => delta.repository)) {
    await tx
      .updateTable('repository')
      .set((eb) => ({
        logical_bytes: eb('logical_bytes', '+', sum.logical_bytes),
        manifest_count: eb('manifest_count', '+', sum.manifest_count),
        tag_count: eb('tag_count', '+', sum.tag_count),
        artifact_count: eb('artifact_count', '+', sum.artifact_count),
      }))
      .where('id', '=', repository)
      .execute()
  }
  for (const [project, sum] of sumBy(deltas, (delta) => delta.project)) {
    await tx
      .updateTable('project_usage')
      .set((eb) => ({
        logical_bytes: eb('logical_bytes', '+', sum.logical_bytes),
        unique_bytes: eb('unique_bytes', '+', sum.unique_bytes),
        repository_count: eb('repository_count', '+', sum.repository_count),
      }))
      .where('project', '=', project)
      .execute()
  }
}

/** In the order of the ids, so that two folders never wait for each other in a circle. */
function sumBy(deltas: Delta[], key: (delta: Delta) => number): [number, Delta][] {
  const sums = new Map<number, Delta>()
  for (const delta of deltas) {
    const sum = sums.get(key(delta))
    if (!sum) {
      sums.set(key(delta), { ...delta })
      continue
    }
    sum.logical_bytes += delta.logical_bytes
    sum.unique_bytes += delta.unique_bytes
    sum.manifest_count += delta.manifest_count
    sum.tag_count += delta.tag_count
    sum.artifact_count += delta.artifact_count
    sum.repository_count += delta.repository_count
  }
  return [...sums].sort(([a], [b]) => a - b)
}

function quotaError({ name, quota }: ChargedProject, used: number, needed: number): AppError {
  const left = formatBytes(Math.max(0, quota - used))
  return new AppError(
    'quota_exceeded',
    `project "${name}" has ${left} of its ${formatBytes(quota)} left and this needs ` +
      `${formatBytes(needed)}; delete something or ask a system administrator to raise the quota`,
    {
      quota,
      used,
      needed,
      ...because('quota_exceeded', { name, left: Math.max(0, quota - used), quota, needed }),
    },
  )
}

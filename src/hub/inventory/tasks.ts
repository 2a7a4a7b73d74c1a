import { type Expression, type SqlBool, sql } from 'kysely'
import type { Queryable } from '../../store/db/database.ts'
import type { SyncRow } from './sync-rows.ts'

/* Syncs that were asked for together, as one task: of several registries, those one may see. */

export interface TaskFilter {
  /** Ids of those that are looked at. */
  registries: readonly string[]
  task?: string | undefined
  nameHas?: string | undefined
  /** Asked for by somebody, or begun by itself. */
  isManual?: boolean | undefined
  isOver?: boolean | undefined
  /** Epoch milliseconds, included. */
  createdFrom?: number | undefined
  finishedTo?: number | undefined
}

export interface SyncTask {
  task: string
  name: string
  isManual: boolean
  createdAt: number
  /** null: not all of it is over. */
  finishedAt: number | null
  /** 0 to 100. */
  percent: number
  images: number
  /** Registries. */
  failed: number
  total: number
}

const NAME = 'image-sync-'

/** Newest first. */
export async function listTasks(
  on: Queryable,
  filter: TaskFilter,
  { offset, limit }: { offset: number; limit: number },
): Promise<{ items: SyncTask[]; total: number }> {
  if (filter.registries.length === 0) return { items: [], total: 0 }
  const tasks = tasksOf(on, filter)
  const { count } = await on
    .selectFrom(tasks.as('t'))
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  const rows = await tasks.orderBy('last_id', 'desc').limit(limit).offset(offset).execute()
  return {
    total: Number(count),
    items: rows.map((row) => {
      const total = Number(row.total)
      const isOver = Number(row.open) === 0
      const [all, done] = [Number(row.repositories), Number(row.repositories_done)]
      return {
        task: row.task,
        name: NAME + row.task,
        isManual: Number(row.manual) > 0,
        createdAt: Number(row.created),
        finishedAt: isOver ? Number(row.finished) : null,
        percent: isOver ? 100 : Math.min(99, all === 0 ? 0 : Math.floor((done / all) * 100)),
        images: Number(row.images),
        failed: Number(row.failed),
        total,
      }
    }),
  }
}

function tasksOf(on: Queryable, filter: TaskFilter) {
  const { registries, task, nameHas, isManual, isOver, createdFrom, finishedTo } = filter
  const open = sql<number>`sum(case when finished_at is null then 1 else 0 end)`
  const manual = sql<number>`sum(case when "trigger" = 'manual' then 1 else 0 end)`
  const is = (yes: boolean, count: Expression<number>) =>
    yes ? sql<SqlBool>`${count} > 0` : sql<SqlBool>`${count} = 0`
  let query = on
    .selectFrom('image_sync')
    .select((eb) => [
      'task',
      eb.fn.max('id').as('last_id'),
      eb.fn.min('created_at').as('created'),
      eb.fn.max('finished_at').as('finished'),
      eb.fn.sum<number>('images').as('images'),
      eb.fn.sum<number>('repositories_total').as('repositories'),
      eb.fn.sum<number>('repositories_done').as('repositories_done'),
      eb.fn.countAll<number>().as('total'),
      open.as('open'),
      manual.as('manual'),
      sql<number>`sum(case when state = 'failed' then 1 else 0 end)`.as('failed'),
    ])
    .where('registry', 'in', [...registries])
    .groupBy('task')
  if (task !== undefined) query = query.where('task', '=', task)
  if (nameHas) {
    const pattern = `%${nameHas.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`
    query = query.where(sql<SqlBool>`${NAME} || task like ${pattern} escape '\\'`)
  }
  if (isManual !== undefined) query = query.having(is(isManual, manual))
  if (isOver !== undefined) query = query.having(is(!isOver, open))
  if (createdFrom !== undefined) {
    query = query.having((eb) => eb(eb.fn.min('created_at'), '>=', createdFrom))
  }
  if (finishedTo !== undefined) {
    query = query
      .having(is(false, open))
      .having((eb) => eb(eb.fn.max('finished_at'), '<=', finishedTo))
  }
  return query
}

/** The syncs of a task, in the order of their registries. */
export function syncsOfTask(
  on: Queryable,
  { registries, task }: { registries: readonly string[]; task: string },
): Promise<SyncRow[]> {
  if (registries.length === 0) return Promise.resolve([])
  return on
    .selectFrom('image_sync')
    .selectAll()
    .where('task', '=', task)
    .where('registry', 'in', [...registries])
    .orderBy('id')
    .execute()
}

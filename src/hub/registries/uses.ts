import type { Clock } from '../../lib/clock.ts'
import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type { Also, Db, Queryable } from '../../store/db/database.ts'
import { LIVE } from '../../store/db/prepared.ts'

/** Something that needs a registry; while there is one it cannot be deleted. */
export interface Use {
  kind: 'consumer' | 'transfer' | 'replication' | 'proxy'
  /** Unique among its kind. */
  id: string
  /** For people: `project payments: build`. */
  what: string
  project: string | null
  purpose: string | null
  /** Cluster or environment. */
  environment: string | null
  lastUsedAt: number | null
  /** It was handed the keys before they last changed, and must fetch them again. */
  outdated: boolean
}

/** Finds what uses a registry; statements only, since deletion asks in its transaction. */
export type UseSource = (on: Queryable, registry: string) => Promise<Use[]>

/** A hand-out of the means to use a registry. */
export interface Consumption {
  registry: string
  project: number
  purpose: string
  environment?: string | undefined
  account: number | null
  /** When the secret that was handed out had changed; left out: the present one was. */
  secretChangedAt?: number | null | undefined
}

const MOST_TOLD = 10

/** The consumers of a registry, oldest first; a project in the trash uses nothing. */
export const consumersOf: UseSource = async (on, registry) => {
  const rows = await on
    .selectFrom('consumer as c')
    .innerJoin('registry as r', 'r.id', 'c.registry')
    .innerJoin('project as p', 'p.id', 'c.project')
    .select(['c.id', 'c.purpose', 'c.environment', 'c.last_fetched_at', 'p.name as project'])
    .select(['c.secret_changed_at as seen', 'r.secret_changed_at as changed'])
    .where('c.registry', '=', registry)
    .where('p.state', '=', LIVE)
    .orderBy('c.id')
    .execute()
  return rows.map((row) => ({
    kind: 'consumer',
    id: String(row.id),
    what: `project ${row.project}: ${row.purpose}${row.environment ? ` in ${row.environment}` : ''}`,
    project: row.project,
    purpose: row.purpose,
    environment: row.environment || null,
    lastUsedAt: row.last_fetched_at,
    outdated: row.changed !== null && row.changed !== row.seen,
  }))
}

/** Remembers a hand-out, or that it happened again. @throws AppError not_found */
export async function recordConsumer(
  { db, clock }: { db: Db; clock: Clock },
  { registry, project, purpose, environment = '', account, secretChangedAt }: Consumption,
  also?: Also,
): Promise<void> {
  const now = clock()
  await db.transaction(async (tx) => {
    // So that it cannot be deleted between the look and the row that forbids it.
    const row = await db.engine
      .lockRows(
        tx.selectFrom('registry').select('secret_changed_at').where('id', '=', registry),
        'keyShare',
      )
      .executeTakeFirst()
    if (!row) throw registryUnknown(registry)
    const fetched = {
      account,
      last_fetched_at: now,
      secret_changed_at: secretChangedAt === undefined ? row.secret_changed_at : secretChangedAt,
    }
    await tx
      .insertInto('consumer')
      .values({ registry, project, purpose, environment, first_fetched_at: now, ...fetched })
      .onConflict((conflict) =>
        conflict
          .columns(['registry', 'project', 'purpose', 'environment'])
          .doUpdateSet({ ...fetched }),
      )
      .execute()
    await also?.(tx)
  })
}

/** All that use a registry. */
export async function usesOf(
  on: Queryable,
  registry: string,
  sources: readonly UseSource[],
): Promise<Use[]> {
  const found: Use[] = []
  for (const source of sources) found.push(...(await source(on, registry)))
  return found
}

/** @throws AppError in_use, with the list */
export function demandUnused(name: string, uses: readonly Use[]): void {
  if (uses.length === 0) return
  const told = uses.slice(0, MOST_TOLD).map(({ what }) => what)
  const more = uses.length - told.length
  const list = `${told.join('; ')}${more > 0 ? ` and ${more} more` : ''}`
  throw new AppError(
    'in_use',
    `registry "${name}" cannot be deleted, it is being used by ${list}; give these another registry first`,
    {
      problems: uses.map(({ what }) => ({ message: what })),
      ...because('registry_in_use', { name }),
    },
  )
}

export function registryUnknown(id: string): AppError {
  return new AppError('not_found', `there is no registry ${JSON.stringify(id.slice(0, 64))}`)
}

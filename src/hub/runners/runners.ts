import type { Clock } from '../../lib/clock.ts'
import { AppError } from '../../lib/errors.ts'
import { newHex } from '../../lib/ids.ts'
import { because } from '../../lib/reasons.ts'
import type { Also, Db, Queryable, Tx } from '../../store/db/database.ts'
import type { Row } from '../../store/db/schema.ts'
import { lockDefault } from '../registries/default.ts'
import { type Invitation, invite } from './enrolment.ts'
import { checkRunnerId, type RunnerState, stateOf } from './identity.ts'
import { failRegistries } from './registry-health.ts'

/** A runner as administrators see it. */
export interface RunnerRecord {
  /** Place in the order of creation. */
  seq: number
  id: string
  name: string
  /** The one project that it serves; null: all. */
  project: { id: number; name: string } | null
  state: RunnerState
  /** Thumbprint of its key; null: none yet. */
  keyId: string | null
  /** How many keys it has had. */
  keyEpoch: number
  /** Of its program, as it says. */
  version: string
  lastSeenAt: number | null
  createdAt: number
  enrolledAt: number | null
  revokedAt: number | null
  /** Registries that it carries the work for. */
  registryCount: number
  tasksWaiting: number
  tasksRunning: number
}

export interface NewRunner {
  /** Chosen by the caller, or made up. */
  id?: string | undefined
  /** The id unless given. */
  name?: string | undefined
  project: number | null
  createdBy: number | null
}

export interface Runners {
  /** In the order of creation. */
  list(page?: { after?: number | undefined; limit?: number }): Promise<RunnerRecord[]>
  get(id: string): Promise<RunnerRecord | undefined>
  /** @throws AppError invalid_input, conflict */
  create(
    input: NewRunner,
    also?: Also<{ id: string; name: string }>,
  ): Promise<Invitation & { runner: RunnerRecord }>
  /**
   * Another token for a program that lost what it had; with it a new key comes, and the one before
   * stays good until then. @throws AppError not_found
   */
  inviteAgain(id: string, also?: Also<{ name: string }>): Promise<Invitation>
  /** Nothing is heard of it any more. @throws AppError not_found */
  revoke(id: string, also?: Also<{ name: string }>): Promise<void>
  /** @throws AppError not_found, in_use (registries name it) */
  remove(id: string, also?: Also<{ name: string }>): Promise<void>
}

/** The runners of an installation, for those who manage them. */
export function createRunners({ db, clock }: { db: Db; clock: Clock }): Runners {
  async function read(on: Queryable, where: Partial<Pick<Row<'runner'>, 'id'>>) {
    const [runner] = await readRunners(on, clock(), where)
    return runner
  }

  async function locked(tx: Tx, id: string): Promise<Row<'runner'>> {
    // Before anything else: whoever names a runner in a registry holds it too.
    await lockDefault(db, tx)
    const query = tx.selectFrom('runner').selectAll().where('id', '=', id)
    const row = await db.engine.lockRows(query, 'update').executeTakeFirst()
    if (!row) throw runnerUnknown(id)
    return row
  }

  return {
    list: (page = {}) => readRunners(db.query, clock(), page),
    get: (id) => read(db.query, { id }),

    async create({ id = `runner-${newHex(8)}`, name = id, project, createdBy }, also) {
      checkRunnerId(id)
      const now = clock()
      try {
        return await db.transaction(async (tx) => {
          await tx
            .insertInto('runner')
            .values({ id, name, project, created_by: createdBy, created_at: now })
            .execute()
          const invitation = await invite(tx, id, now)
          await also?.(tx, { id, name })
          const runner = await read(tx, { id })
          if (!runner) throw runnerUnknown(id)
          return { ...invitation, runner }
        })
      } catch (error) {
        if (!db.engine.isUniqueViolation(error)) throw error
        const message = `there is a runner "${id}" already; its program can be enrolled again`
        throw new AppError('conflict', message, {
          field: 'id',
          ...because('runner_taken', { name: id }),
        })
      }
    },

    inviteAgain: (id, also) =>
      db.transaction(async (tx) => {
        const { name } = await locked(tx, id)
        const invitation = await invite(tx, id, clock())
        await also?.(tx, { name })
        return invitation
      }),

    async revoke(id, also) {
      await db.transaction(async (tx) => {
        const { name } = await locked(tx, id)
        const now = clock()
        await tx
          .updateTable('runner')
          .set({ state: 'revoked', revoked_at: now })
          .where('id', '=', id)
          .execute()
        await tx.deleteFrom('runner_credential').where('runner', '=', id).execute()
        await tx.deleteFrom('runner_enrolment').where('runner', '=', id).execute()
        await tx.deleteFrom('runner_task').where('runner', '=', id).execute()
        const reason = `the runner "${id}" was revoked; name another one, or enrol it again`
        const { reason: says } = because('runner_revoked', { name: id })
        await failRegistries(tx, { runner: id, code: 'CREATE_JOB_FAILED', reason, says, now })
        await also?.(tx, { name })
      })
    },

    async remove(id, also) {
      await db.transaction(async (tx) => {
        const { name } = await locked(tx, id)
        const users = await tx
          .selectFrom('registry')
          .select('name')
          .where('connect_cluster_id', '=', id)
          .orderBy('seq')
          .limit(11)
          .execute()
        if (users.length > 0) {
          const told = users.slice(0, 10).map((user) => `"${user.name}"`)
          const more = users.length > 10 ? ' and more' : ''
          throw new AppError(
            'in_use',
            `the runner "${id}" carries the work for ${told.join(', ')}${more}; give these another one first`,
            because('runner_in_use', {
              name: id,
              registries: users.map((user) => user.name).join(', '),
            }),
          )
        }
        await tx.deleteFrom('runner').where('id', '=', id).execute()
        await also?.(tx, { name })
      })
    },
  }
}

export function runnerUnknown(id: string): AppError {
  return new AppError('not_found', `there is no runner ${JSON.stringify(id.slice(0, 64))}`)
}

/** In the order of creation. */
export async function readRunners(
  on: Queryable,
  now: number,
  page: {
    id?: string
    ids?: readonly string[]
    after?: number | undefined
    limit?: number
  },
): Promise<RunnerRecord[]> {
  const { id, ids, after, limit } = page
  let query = on
    .selectFrom('runner as r')
    .leftJoin('project as p', 'p.id', 'r.project')
    .selectAll('r')
    .select('p.name as project_name')
    .select((eb) => [
      eb
        .selectFrom('registry')
        .select((g) => g.fn.countAll<number>().as('n'))
        .whereRef('registry.connect_cluster_id', '=', 'r.id')
        .as('registries'),
      eb
        .selectFrom('runner_task as w')
        .select((t) => t.fn.countAll<number>().as('n'))
        .whereRef('w.runner', '=', 'r.id')
        .where('w.state', '=', 'queued')
        .as('waiting'),
      eb
        .selectFrom('runner_task as l')
        .select((t) => t.fn.countAll<number>().as('n'))
        .whereRef('l.runner', '=', 'r.id')
        .where('l.state', '=', 'leased')
        .as('running'),
    ])
    .orderBy('r.seq')
  if (id !== undefined) query = query.where('r.id', '=', id)
  if (ids !== undefined) query = query.where('r.id', 'in', ids)
  if (after !== undefined) query = query.where('r.seq', '>', after)
  if (limit !== undefined) query = query.limit(limit)
  const rows = await query.execute()
  return rows.map((row) => ({
    seq: row.seq,
    id: row.id,
    name: row.name,
    project:
      row.project === null ? null : { id: row.project, name: row.project_name ?? `${row.project}` },
    state: stateOf(row, now),
    keyId: row.key_id,
    keyEpoch: row.key_epoch,
    version: row.version,
    lastSeenAt: row.last_seen_at,
    createdAt: row.created_at,
    enrolledAt: row.enrolled_at,
    revokedAt: row.revoked_at,
    registryCount: Number(row.registries ?? 0),
    tasksWaiting: Number(row.waiting ?? 0),
    tasksRunning: Number(row.running ?? 0),
  }))
}

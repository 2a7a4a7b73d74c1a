import { GRANT_LIFETIME_MS, type ProjectRef } from '../accounts/authorize.ts'
import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { because } from '../lib/reasons.ts'
import { shareReads } from '../lib/shared-reads.ts'
import type { Db, Queryable, Tx } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import type { Row } from '../store/db/schema.ts'
import { containing } from '../store/db/search.ts'
import { projectRef } from './project-ref.ts'
import { demandAlias, demandProjectName, demandQuota, NO_QUOTA } from './project-rules.ts'
import { demandRoom, foldProject } from './usage.ts'

export type Project = Row<'project'>

export interface NewProject {
  name: string
  isPublic: boolean
  /** Bytes, or -1. */
  quota?: number
  description?: string
  createdBy: number | null
  /** By a system administrator, whose alone the project `system` may be. */
  byAdministrator?: boolean
}

export interface ProjectChange {
  isPublic?: boolean
  quota?: number
  description?: string
  /** Null: none. */
  alias?: string | null
}

export interface Projects {
  /** What authorisation needs, as it was at most five seconds ago; undefined: no such project. */
  find(name: string): Promise<ProjectRef | undefined>
  /**
   * Refuses early what will not fit into the project's quota. A project that does not exist yet
   * has none.
   * @throws AppError quota_exceeded
   */
  demandRoom(name: string, bytes: number): Promise<void>
  /** By its alias, read now. */
  byAlias(alias: string): Promise<Project | undefined>
  /** By name or id, read now. */
  get(nameOrId: string | number): Promise<Project | undefined>
  list(page: ProjectPage): Promise<Project[]>
  /** @throws AppError name_invalid, conflict, invalid_input (quota) */
  create(tx: Tx, project: NewProject): Promise<Project>
  /**
   * @param version what the caller has seen; the change is refused when it is out of date
   * @throws AppError precondition_failed, invalid_input (quota, alias), conflict (alias)
   */
  update(tx: Tx, id: number, change: ProjectChange, version?: number): Promise<Project>
  /** @throws AppError in_use while it has repositories, precondition_failed */
  remove(tx: Tx, id: number, actor: number | null, reason: string, version?: number): Promise<void>
}

export interface ProjectPage {
  /** Names after this one, in byte order. */
  after?: string
  limit: number
  nameHas?: string
  /** Only projects that are public or that this account is a member of; undefined: all. */
  visibleTo?: number | null
}

export function createProjects(deps: { db: Db; clock: Clock }): Projects {
  const { db, clock } = deps
  const known = new Map<string, { ref: ProjectRef; quota: number; until: number }>()
  // When what is known ends, all who pull from a project ask for it at once.
  const readLive = shareReads(
    (name: string) => name,
    (name) => liveProject(db.query, name),
  )

  return {
    async find(name) {
      const cached = known.get(name)
      if (cached && cached.until > clock()) return cached.ref
      const row = await readLive(name)
      if (!row) {
        known.delete(name)
        return undefined
      }
      const ref = projectRef(row)
      if (known.size > 10_000) known.clear()
      known.set(name, { ref, quota: row.quota, until: clock() + GRANT_LIFETIME_MS })
      return ref
    },

    async demandRoom(name, bytes) {
      const quota = known.get(name)?.quota ?? NO_QUOTA
      if (quota === NO_QUOTA) return
      const project = await liveProject(db.query, name)
      if (project) await demandRoom(db.query, project, bytes, clock())
    },

    byAlias: (alias) => liveProject(db.query, alias, 'alias'),

    get: (nameOrId) => liveProject(db.query, nameOrId),

    list({ after, limit, nameHas, visibleTo }) {
      let query = db.query
        .selectFrom('project')
        .selectAll()
        .where('state', '=', LIVE)
        .orderBy('name')
        .limit(limit)
      if (after !== undefined) query = query.where('name', '>', after)
      if (nameHas) query = query.where(containing('name', nameHas))
      if (visibleTo !== undefined) {
        query = query.where((eb) =>
          eb.or([
            eb('is_public', '=', 1),
            eb(
              'id',
              'in',
              eb
                .selectFrom('member')
                .select('project')
                .where('account', '=', visibleTo ?? -1),
            ),
          ]),
        )
      }
      return query.execute()
    },

    async create(tx, given) {
      const { name, isPublic, quota = NO_QUOTA, description = '', createdBy } = given
      demandProjectName(name, given.byAdministrator)
      demandQuota(quota)
      const now = clock()
      // Not by the unique violation: on PostgreSQL that would end the caller's transaction.
      const project = await tx
        .insertInto('project')
        .values({
          name,
          is_public: isPublic ? 1 : 0,
          quota,
          description,
          created_by: createdBy,
          created_at: now,
          updated_at: now,
        })
        .onConflict((conflict) => conflict.doNothing())
        .returningAll()
        .executeTakeFirst()
      // What scripts send to an alias must not go to somebody who takes its name.
      if (!project || (await liveProject(tx, name, 'alias'))) {
        throw new AppError(
          'conflict',
          `a project "${name}" exists already; choose another name`,
          because('name_taken', { name }),
        )
      }
      await tx.insertInto('project_usage').values({ project: project.id }).execute()
      if (createdBy !== null) {
        await tx
          .insertInto('member')
          .values({ project: project.id, account: createdBy, role: 'admin', created_at: now })
          .execute()
      }
      return project
    },

    async update(tx, id, change, version) {
      const project = await lockProject(db, tx, id, version)
      if (change.quota !== undefined) {
        demandQuota(change.quota)
        // Links of unlimited projects stand in deltas; a limit is checked against the sum.
        await foldProject(tx, id)
      }
      if (change.alias) await demandFreeAlias(tx, change.alias, id)
      const updated = await tx
        .updateTable('project')
        .set((eb) => ({
          ...(change.alias === undefined ? {} : { alias: change.alias }),
          ...(change.isPublic === undefined ? {} : { is_public: change.isPublic ? 1 : 0 }),
          ...(change.quota === undefined ? {} : { quota: change.quota }),
          ...(change.description === undefined ? {} : { description: change.description }),
          updated_at: clock(),
          version: eb('version', '+', 1),
        }))
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirstOrThrow()
        .catch((error: unknown) => {
          if (!db.engine.isUniqueViolation(error)) throw error
          throw aliasTaken(change.alias ?? '')
        })
      known.delete(project.name)
      return updated
    },

    async remove(tx, id, actor, reason, version) {
      const project = await lockProject(db, tx, id, version)
      const repository = await tx
        .selectFrom('repository')
        .select('name')
        .where('project', '=', id)
        .where('state', '=', LIVE)
        .limit(1)
        .executeTakeFirst()
      if (repository) {
        throw new AppError(
          'in_use',
          `project "${project.name}" still has repositories, such as "${repository.name}"; delete them first`,
          because('project_not_empty', { name: project.name, repository: repository.name }),
        )
      }
      await tx
        .updateTable('project')
        .set({
          state: 'trashed',
          trashed_at: clock(),
          trashed_by: actor,
          trash_reason: reason,
          updated_at: clock(),
        })
        .where('id', '=', id)
        .execute()
      await tx.deleteFrom('account').where('project', '=', id).execute()
      known.delete(project.name)
    },
  }
}

/** @throws AppError project_unknown, precondition_failed */
async function lockProject(db: Db, tx: Tx, id: number, version?: number): Promise<Project> {
  const project = await db.engine
    .lockRows(
      tx.selectFrom('project').selectAll().where('id', '=', id).where('state', '=', LIVE),
      'update',
    )
    .executeTakeFirst()
  if (!project) throw new AppError('project_unknown', 'the project does not exist any more')
  if (version !== undefined && version !== project.version) {
    throw new AppError(
      'precondition_failed',
      `project "${project.name}" was changed by somebody else; read it again`,
      because('changed_meanwhile', { name: project.name }),
    )
  }
  return project
}

function liveProject(
  query: Queryable,
  nameOrId: string | number,
  column: 'name' | 'alias' = 'name',
): Promise<Project | undefined> {
  return query
    .selectFrom('project')
    .selectAll()
    .where(typeof nameOrId === 'number' ? 'id' : column, '=', nameOrId)
    .where('state', '=', LIVE)
    .executeTakeFirst()
}

/**
 * An alias is looked for before names and ids, so it may be none of them.
 * @throws AppError invalid_input, conflict
 */
async function demandFreeAlias(tx: Tx, alias: string, project: number): Promise<void> {
  demandAlias(alias)
  const others = [await liveProject(tx, alias, 'alias'), await liveProject(tx, alias, 'name')]
  if (others.every((other) => !other || other.id === project)) return
  throw aliasTaken(alias)
}

function aliasTaken(alias: string): AppError {
  return new AppError('conflict', `the alias "${alias}" is taken; choose another one`, {
    field: 'alias',
    ...because('alias_taken', { name: alias }),
  })
}

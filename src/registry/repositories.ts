import type { Clock } from '../lib/clock.ts'
import { AppError, isAppError } from '../lib/errors.ts'
import { because } from '../lib/reasons.ts'
import { isRepositoryPath, type RepositoryName } from '../oci/reference.ts'
import type { Db, Queryable, Tx } from '../store/db/database.ts'
import { LIVE, statement } from '../store/db/prepared.ts'
import type { Row } from '../store/db/schema.ts'
import { demandProjectName } from './project-rules.ts'
import type { Projects } from './projects.ts'
import { createRepositoryReads, type RepositoryReads } from './repository-reads.ts'
import { type ChargedProject, charge, noChange } from './usage.ts'

export type Repository = Row<'repository'>

/** A repository in a transaction that adds to it; its project is locked against deletion. */
export interface OpenRepository {
  id: number
  project: ChargedProject
  name: RepositoryName
}

/** Whoever pushes, and whether a missing project may be made for it. */
export interface Pusher {
  account: number | null
  mayCreateProject: boolean
  isAdministrator?: boolean
  /** Of a project made by this push. */
  publicProject: boolean
}

export interface RepositoryChange {
  summary?: string
  description?: string
}

export interface Repositories extends RepositoryReads {
  find(name: RepositoryName, query?: Queryable): Promise<Repository | undefined>
  /**
   * The repository for a push, made if it is missing; so is the project, if `pusher` may.
   * @throws AppError project_unknown, name_invalid
   */
  open(tx: Tx, name: RepositoryName, pusher: Pusher): Promise<OpenRepository>
  /** The repository for a deletion or a change. @throws AppError repository_unknown */
  openExisting(tx: Tx, name: RepositoryName): Promise<OpenRepository>
  /** @throws AppError name_invalid, conflict */
  create(
    tx: Tx,
    name: RepositoryName,
    change: RepositoryChange,
    actor: number | null,
  ): Promise<Repository>
  /** @throws AppError repository_unknown, precondition_failed */
  update(
    tx: Tx,
    name: RepositoryName,
    change: RepositoryChange,
    version?: number,
  ): Promise<Repository>
  /**
   * Into the trash, with everything in it; what it used is no longer charged.
   * @throws AppError repository_unknown, immutable, precondition_failed
   */
  remove(
    tx: Tx,
    name: RepositoryName,
    actor: number | null,
    reason: string,
    version?: number,
  ): Promise<void>
}

export function createRepositories(deps: {
  db: Db
  clock: Clock
  projects: Projects
}): Repositories {
  const { db, clock, projects } = deps

  /** Locked so that it cannot be deleted, nor its quota changed, before we commit. */
  const projectLock = statement((on, asked: { name: string }) =>
    db.engine.lockRows(
      on
        .selectFrom('project')
        .select(['id', 'name', 'quota'])
        .where('name', '=', asked.name)
        .where('state', '=', LIVE),
      'keyShare',
    ),
  )

  async function lockProject(tx: Tx, name: string): Promise<ChargedProject | undefined> {
    const [project] = await projectLock(tx, { name })
    return project
  }

  async function openProject(tx: Tx, name: string, pusher: Pusher): Promise<ChargedProject> {
    const existing = await lockProject(tx, name)
    if (existing) return existing
    if (!pusher.mayCreateProject) {
      throw new AppError(
        'project_unknown',
        `project "${name}" does not exist and you may not create it; ask a system administrator`,
      )
    }
    demandProjectName(name, pusher.isAdministrator)
    try {
      return await projects.create(tx, {
        name,
        isPublic: pusher.publicProject,
        createdBy: pusher.account,
        byAdministrator: pusher.isAdministrator ?? false,
      })
    } catch (error) {
      const made = isAppError(error, 'conflict') && (await lockProject(tx, name))
      if (made) return made
      throw error
    }
  }

  async function insert(
    tx: Tx,
    project: ChargedProject,
    path: string,
    change: RepositoryChange,
    actor: number | null,
  ): Promise<Repository | undefined> {
    const now = clock()
    const row = await tx
      .insertInto('repository')
      .values({
        project: project.id,
        name: path,
        summary: change.summary ?? '',
        description: change.description ?? '',
        created_by: actor,
        created_at: now,
        updated_at: now,
      })
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst()
    // No bytes, so nothing is locked by it and it need not be the last statement.
    if (row) await charge(tx, project, row.id, { ...noChange(), repositories: 1 })
    return row
  }

  function byName(query: Queryable, project: number, path: string) {
    return query
      .selectFrom('repository')
      .selectAll()
      .where('project', '=', project)
      .where('name', '=', path)
      .where('state', '=', LIVE)
  }

  const repositoryLock = statement((on, asked: { project: number; path: string }) =>
    db.engine.lockRows(byName(on, asked.project, asked.path), 'keyShare'),
  )

  /** Both that a push needs, in this order, where both are there. */
  const bothLock = statement((on, asked: { project: string; path: string }) =>
    db.engine.lockRows(
      on
        .selectFrom('project')
        .innerJoin('repository', 'repository.project', 'project.id')
        .select(['repository.id', 'project.id as project', 'project.name', 'project.quota'])
        .where('project.name', '=', asked.project)
        .where('project.state', '=', LIVE)
        .where('repository.name', '=', asked.path)
        .where('repository.state', '=', LIVE),
      'keyShare',
    ),
  )

  /** Locked so that it cannot be deleted before we commit. */
  async function lockRepository(
    tx: Tx,
    project: number,
    path: string,
  ): Promise<Repository | undefined> {
    const [repository] = await repositoryLock(tx, { project, path })
    return repository
  }

  async function openExisting(tx: Tx, name: RepositoryName): Promise<OpenRepository> {
    const project = await lockProject(tx, name.project)
    const row = project && (await lockRepository(tx, project.id, name.path))
    if (!row) throw repositoryUnknown(name)
    return { id: row.id, project, name }
  }

  async function openForChange(
    tx: Tx,
    name: RepositoryName,
    version?: number,
  ): Promise<OpenRepository> {
    // At once in the strength that it takes: two that both shared it would wait in a circle.
    const project = await lockProject(tx, name.project)
    const row =
      project &&
      (await db.engine.lockRows(byName(tx, project.id, name.path), 'update').executeTakeFirst())
    if (!row) throw repositoryUnknown(name)
    if (version !== undefined && version !== row.version) {
      throw new AppError(
        'precondition_failed',
        `repository "${name.full}" was changed by somebody else; read it again`,
      )
    }
    return { id: row.id, project, name }
  }

  return {
    ...createRepositoryReads(db),

    async find(name, query = db.query) {
      return query
        .selectFrom('repository')
        .innerJoin('project', 'project.id', 'repository.project')
        .selectAll('repository')
        .where('project.name', '=', name.project)
        .where('project.state', '=', LIVE)
        .where('repository.name', '=', name.path)
        .where('repository.state', '=', LIVE)
        .executeTakeFirst()
    },

    async open(tx, name, pusher) {
      const [both] = await bothLock(tx, { project: name.project, path: name.path })
      if (both) {
        const project = { id: both.project, name: both.name, quota: both.quota }
        return { id: both.id, project, name }
      }
      const project = await openProject(tx, name.project, pusher)
      const row =
        (await lockRepository(tx, project.id, name.path)) ??
        (await insert(tx, project, name.path, {}, pusher.account)) ??
        (await lockRepository(tx, project.id, name.path))
      if (!row) throw repositoryUnknown(name)
      return { id: row.id, project, name }
    },

    openExisting,

    async create(tx, name, change, actor) {
      if (!isRepositoryPath(name.path)) {
        throw new AppError('name_invalid', `"${name.path}" is not a repository name`, {
          field: 'name',
          ...because('repository_name_invalid', { name: name.path }),
        })
      }
      const project = await lockProject(tx, name.project)
      if (!project)
        throw new AppError('project_unknown', `project "${name.project}" does not exist`)
      const row = await insert(tx, project, name.path, change, actor)
      if (row) return row
      throw new AppError(
        'conflict',
        `a repository "${name.full}" exists already`,
        because('name_taken', { name: name.full }),
      )
    },

    async update(tx, name, change, version) {
      const { id } = await openForChange(tx, name, version)
      return tx
        .updateTable('repository')
        .set((eb) => ({ ...change, updated_at: clock(), version: eb('version', '+', 1) }))
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirstOrThrow()
    },

    async remove(tx, name, actor, reason, version) {
      const { id, project } = await openForChange(tx, name, version)
      const immutable = await tx
        .selectFrom('tag')
        .select('name')
        .where('repository', '=', id)
        .where('immutable', '=', 1)
        .limit(1)
        .executeTakeFirst()
      if (immutable) {
        throw new AppError(
          'immutable',
          `tag "${immutable.name}" of ${name.full} is immutable; a maintainer of the project has to lift that first`,
        )
      }
      const change = noChange()
      change.uniqueBytes = -(await unlinkAll(db, tx, project.id, id))
      const { logical } = await logicalBytes(tx, id)
      change.logicalBytes = -logical
      change.repositories = -1
      await tx
        .updateTable('repository')
        .set({
          state: 'trashed',
          trashed_at: clock(),
          trashed_by: actor,
          trash_reason: reason,
          updated_at: clock(),
        })
        .where('id', '=', id)
        .execute()
      await charge(tx, project, id, change)
    },
  }
}

export function repositoryUnknown(name: RepositoryName): AppError {
  return new AppError('repository_unknown', `repository "${name.full}" does not exist`)
}

/** All rows of a repository that hold content, one per link. */
function linksOf(tx: Tx, repository: number) {
  return tx
    .selectFrom('repository_blob')
    .select('content')
    .where('repository', '=', repository)
    .unionAll(
      tx
        .selectFrom('manifest')
        .select('content')
        .where('repository', '=', repository)
        .where('state', '=', LIVE),
    )
}

async function logicalBytes(tx: Tx, repository: number): Promise<{ logical: number }> {
  const { logical } = await tx
    .selectFrom(linksOf(tx, repository).as('link'))
    .innerJoin('content', 'content.id', 'link.content')
    .select((eb) => eb.fn.coalesce(eb.fn.sum<number>('content.size'), eb.lit(0)).as('logical'))
    .executeTakeFirstOrThrow()
  return { logical: Number(logical) }
}

/** Takes a repository's links out of the project's ledger, set-wise. Returns the bytes freed. */
async function unlinkAll(db: Db, tx: Tx, project: number, repository: number): Promise<number> {
  // In one order, so that two removals never wait for each other in a circle.
  await db.engine
    .lockRows(
      tx
        .selectFrom('project_content')
        .select('content')
        .where('project', '=', project)
        .where('content', 'in', linksOf(tx, repository))
        .orderBy('content'),
      'update',
    )
    .execute()
  await tx
    .updateTable('project_content')
    .set((eb) => ({
      links: eb(
        'links',
        '-',
        eb
          .selectFrom(linksOf(tx, repository).as('link'))
          .select((count) => count.fn.countAll<number>().as('n'))
          .whereRef('link.content', '=', 'project_content.content'),
      ),
    }))
    .where('project', '=', project)
    .where('content', 'in', linksOf(tx, repository))
    .execute()
  const freed = await tx
    .deleteFrom('project_content')
    .where('project', '=', project)
    .where('links', '<=', 0)
    .where('content', 'in', linksOf(tx, repository))
    .returning((eb) =>
      eb
        .selectFrom('content')
        .select('size')
        .whereRef('content.id', '=', 'project_content.content')
        .as('size'),
    )
    .execute()
  return freed.reduce((sum, row) => sum + (row.size ?? 0), 0)
}

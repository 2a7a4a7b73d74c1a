import type { Clock } from '../lib/clock.ts'
import { AppError, isAppError } from '../lib/errors.ts'
import type { RepositoryName } from '../oci/reference.ts'
import type { Db, Queryable, Tx } from '../store/db/database.ts'
import { LIVE, statement } from '../store/db/prepared.ts'
import type { Row } from '../store/db/schema.ts'
import { demandProjectName } from './project-rules.ts'
import type { Projects } from './projects.ts'
import { type ChargedProject, charge, noChange } from './usage.ts'

/*
 * Repositories in a transaction: first the project is locked, then the repository, so that neither
 * goes while somebody adds to it.
 */

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

/** Finds, locks or makes what a transaction is about. */
export function createRepositoryOpenings(deps: { db: Db; clock: Clock; projects: Projects }) {
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

  async function open(tx: Tx, name: RepositoryName, pusher: Pusher): Promise<OpenRepository> {
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

  return { open, openExisting, openForChange, lockProject, insert }
}

export function repositoryUnknown(name: RepositoryName): AppError {
  return new AppError('repository_unknown', `repository "${name.full}" does not exist`)
}

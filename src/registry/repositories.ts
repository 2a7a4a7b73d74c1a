import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { because } from '../lib/reasons.ts'
import { isRepositoryPath, type RepositoryName } from '../oci/reference.ts'
import type { Db, Queryable, Tx } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import type { Projects } from './projects.ts'
import { releaseContents } from './repository-contents.ts'
import {
  createRepositoryOpenings,
  type OpenRepository,
  type Pusher,
  type Repository,
  type RepositoryChange,
} from './repository-openings.ts'
import { createRepositoryReads, type RepositoryReads } from './repository-reads.ts'
import { charge, noChange } from './usage.ts'

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
  const { db, clock } = deps
  const { open, openExisting, openForChange, lockProject, insert } = createRepositoryOpenings(deps)

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

    open,
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
      const { unique, logical } = await releaseContents(db, tx, project.id, id)
      change.uniqueBytes = -unique
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

import { sql } from 'kysely'
import type { RepositoryName } from '../oci/reference.ts'
import type { Db } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'

export interface Catalog {
  /**
   * Full names of repositories that have a manifest, in the order of project and path.
   * @param visibleTo an account (null: anonymous), or `all`
   */
  list(page: {
    after?: RepositoryName
    limit: number
    visibleTo: number | null | 'all'
  }): Promise<string[]>
}

export function createCatalog({ db }: { db: Db }): Catalog {
  return {
    async list({ after, limit, visibleTo }) {
      let query = db.query
        .selectFrom('project')
        .innerJoin('repository', 'repository.project', 'project.id')
        .select(['project.name as project', 'repository.name as path'])
        .where('project.state', '=', LIVE)
        .where('repository.state', '=', LIVE)
        .where(({ exists, selectFrom }) =>
          exists(
            selectFrom('manifest')
              .select(sql<number>`1`.as('one'))
              .whereRef('manifest.repository', '=', 'repository.id')
              .where('manifest.state', '=', LIVE),
          ),
        )
        .orderBy('project.name')
        .orderBy('repository.name')
        .limit(limit)
      if (after) {
        query = query.where((eb) =>
          eb.or([
            eb('project.name', '>', after.project),
            eb.and([
              eb('project.name', '=', after.project),
              eb('repository.name', '>', after.path),
            ]),
          ]),
        )
      }
      if (visibleTo !== 'all') {
        query = query.where((eb) =>
          eb.or([
            eb('project.is_public', '=', 1),
            eb(
              'project.id',
              'in',
              eb
                .selectFrom('member')
                .select('project')
                .where('account', '=', visibleTo ?? -1),
            ),
          ]),
        )
      }
      return (await query.execute()).map(({ project, path }) => `${project}/${path}`)
    },
  }
}

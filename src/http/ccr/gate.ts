import type { Authorizer } from '../../accounts/authorize.ts'
import type { Principal } from '../../accounts/principal.ts'
import { AppError } from '../../lib/errors.ts'
import { isProjectName, parseRepositoryName } from '../../oci/reference.ts'
import { projectRef } from '../../registry/project-ref.ts'
import type { Projects } from '../../registry/projects.ts'
import { repositoryUnknown } from '../../registry/repository-openings.ts'
import type { CcrRoute } from './route.ts'

/**
 * Lets a request pass that may do what its call is for, and says what its path stands for.
 *
 * A project that does not exist is asked about like a private one without members, so that both are
 * 403 alike to whom they are hidden, as in Harbor; only who may see everything is told 404.
 */
export function createGate({
  authorizer,
  projects,
}: {
  authorizer: Authorizer
  projects: Projects
}) {
  return async (
    { permission, on }: Pick<CcrRoute, 'permission' | 'on'>,
    params: Record<string, string>,
    principal: Principal,
  ): Promise<object> => {
    if (permission === 'signed-in') {
      if (principal.kind === 'anonymous') throw new AppError('unauthenticated', 'sign in first')
      return {}
    }
    if (on === 'system') {
      await authorizer.demand(principal, permission, { kind: 'system' })
      return {}
    }
    const asked = (params.project ?? '').slice(0, 255)
    const project = isProjectName(asked) ? await projects.get(asked) : undefined
    const ref = projectRef(project, asked)
    // A chart is a repository too.
    const full = `${ref.name}/${params.repository ?? params.chart}`
    await authorizer.demand(
      principal,
      permission,
      on === 'project'
        ? { kind: 'project', project: ref }
        : { kind: 'repository', repository: full, project: ref },
    )
    if (!project) throw new AppError('project_unknown', `project "${asked}" does not exist`)
    if (on === 'project') return { project }
    const name = parseRepositoryName(full)
    if (name) return { project, name }
    throw repositoryUnknown({ project: ref.name, path: '', full: full.slice(0, 300) })
  }
}

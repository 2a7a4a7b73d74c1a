import type { Authorizer, Resource } from '../../accounts/authorize.ts'
import type { Principal } from '../../accounts/principal.ts'
import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import { isProjectName, parseRepositoryName } from '../../oci/reference.ts'
import { projectRef } from '../../registry/project-ref.ts'
import type { Project, Projects } from '../../registry/projects.ts'
import type { ApiRoute } from './route.ts'

/**
 * Lets a request pass that may do what its route is for, and says what its path stands for.
 *
 * A project that does not exist is asked about like a private one without members: same queries,
 * same answer. What a caller may not even look at is 404, what he may see but not do is 403.
 */
export function createGate({
  authorizer,
  projects,
}: {
  authorizer: Authorizer
  projects: Projects
}) {
  return async (
    { permission, on }: Pick<ApiRoute, 'permission' | 'on'>,
    params: Record<string, string>,
    principal: Principal,
  ): Promise<object> => {
    if (permission === 'runner') throw new Error('runners do not come through this gate')
    if (permission === 'open') return {}
    if (permission === 'signed-in') {
      if (principal.kind !== 'anonymous') return {}
      throw new AppError('unauthenticated', 'sign in first')
    }
    if (on === 'system') {
      await authorizer.demand(principal, permission, { kind: 'system' })
      return {}
    }

    const asked = params.project ?? ''
    const project = await find(projects, asked)
    const ref = projectRef(project, asked)
    const full = `${ref.name}/${params.repository}`
    const resource: Resource =
      on === 'project'
        ? { kind: 'project', project: ref }
        : { kind: 'repository', repository: full, project: ref }
    const decision = await authorizer.authorize(principal, permission, resource)
    if (!decision.allowed) {
      const look = { kind: 'project', project: ref } as const
      const seen = await authorizer.authorize(principal, 'project:read', look)
      if (decision.code === 'denied' && !seen.allowed) throw projectUnknown(asked)
      throw new AppError(decision.code, decision.reason, decision.details)
    }
    if (!project) throw projectUnknown(asked)
    if (on === 'project') return { project }
    const name = parseRepositoryName(full)
    if (!name) throw new AppError('repository_unknown', `repository "${full}" does not exist`)
    return { project, name }
  }
}

/**
 * By name, by `id:7`, or by an id in digits where no project is called so: a name of digits is a
 * good name too, and who wants to be sure that an id is meant writes `id:`.
 */
async function find(projects: Projects, asked: string): Promise<Project | undefined> {
  const digits = /^(?:id:)?([1-9]\d{0,14})$/.exec(asked)?.[1]
  const named = isProjectName(asked) ? await projects.get(asked) : undefined
  return named ?? (digits === undefined ? undefined : projects.get(Number(digits)))
}

function projectUnknown(asked: string): AppError {
  return new AppError(
    'project_unknown',
    `project "${asked.slice(0, 255)}" does not exist, or you may not see it`,
    because('project_unknown', { name: asked.slice(0, 255) }),
  )
}

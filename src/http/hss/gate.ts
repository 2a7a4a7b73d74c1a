import type { Authorizer, ProjectRef } from '../../accounts/authorize.ts'
import type { Action } from '../../accounts/permissions.ts'
import type { Principal } from '../../accounts/principal.ts'
import { AppError } from '../../lib/errors.ts'
import { projectRef } from '../../registry/project-ref.ts'
import type { Project, Projects } from '../../registry/projects.ts'
import type { Identified } from './identify.ts'
import { findProject } from './project-id.ts'
import type { HssRoute } from './route.ts'

const MAX_PROJECT_ID = 256

/**
 * Lets a request pass that may do what its call is for, and says which project it is about. A project
 * that does not exist is asked about like a private one without members, and both are HSS.0011.
 */
export function createGate({
  authorizer,
  projects,
}: {
  authorizer: Authorizer
  projects: Projects
}) {
  function may(principal: Principal, action: Action, project: ProjectRef) {
    return authorizer.authorize(principal, action, { kind: 'project', project })
  }

  return async (
    { permission }: Pick<HssRoute, 'permission'>,
    asked: string,
    named: string | null,
    { principal, tokenProject }: Identified,
  ): Promise<Project> => {
    if (asked === '' || [...asked].length > MAX_PROJECT_ID) {
      throw new AppError('invalid_input', `project_id must have 1 to ${MAX_PROJECT_ID} characters`)
    }
    const found = await findProject(projects, asked)
    const ref = projectRef(found, asked)
    const look = await may(principal, 'project:read', ref)
    if (!found || !look.allowed) throw projectUnknown(asked)
    if (named !== null && (await findProject(projects, named))?.id !== found.id) {
      throw new AppError(
        'invalid_input',
        'X-Project-Id names another project than the path; send the same, or leave it out',
      )
    }
    if (tokenProject !== null && tokenProject !== found.id) {
      throw new AppError(
        'denied',
        `the token is for another project; get one with the scope of "${asked}"`,
      )
    }
    const decision = await may(principal, permission, ref)
    if (!decision.allowed) throw new AppError(decision.code, decision.reason)
    return found
  }
}

function projectUnknown(asked: string): AppError {
  return new AppError(
    'project_unknown',
    `project_id "${asked}" is no project, or you may not see it; use the id, the name or the alias of one`,
  )
}

import type { Authorizer, ProjectRef } from '../../accounts/authorize.ts'
import type { GrantedScope, Principal } from '../../accounts/principal.ts'
import { parseRepositoryName } from '../../oci/reference.ts'
import type { RequestedScope } from './scope.ts'

/**
 * What of the asked the principal gets, by its canonical name; undefined: nothing. The registry
 * asks again at every request: this only decides what the token says.
 */
export type Grant = (
  principal: Principal,
  asked: RequestedScope,
) => Promise<GrantedScope | undefined>

export function createGrant(deps: {
  authorizer: Authorizer
  findProject: (name: string) => Promise<ProjectRef | undefined>
}): Grant {
  const { authorizer, findProject } = deps

  async function ofRepository(
    principal: Principal,
    asked: RequestedScope,
  ): Promise<GrantedScope | undefined> {
    const name = parseRepositoryName(asked.name)
    if (!name) return undefined
    const project = await findProject(name.project)
    const resource = { kind: 'repository', repository: name.full, project } as const
    const actions: string[] = []
    for (const action of asked.actions) {
      if (action !== 'pull' && action !== 'push' && action !== 'delete') continue
      const decision = await authorizer.authorize(principal, `repository:${action}`, resource)
      if (decision.allowed) actions.push(action)
    }
    if (actions.length === 0) return undefined
    return {
      type: 'repository',
      name: name.full,
      actions,
      ...(project ? { project: project.id } : {}),
    }
  }

  async function ofRegistry(
    principal: Principal,
    asked: RequestedScope,
  ): Promise<GrantedScope | undefined> {
    if (asked.name !== 'catalog' || !asked.actions.includes('*')) return undefined
    const { allowed } = await authorizer.authorize(principal, 'catalog:read', { kind: 'system' })
    return allowed ? { type: 'registry', name: 'catalog', actions: ['*'] } : undefined
  }

  return (principal, asked) =>
    asked.type === 'repository' ? ofRepository(principal, asked) : ofRegistry(principal, asked)
}

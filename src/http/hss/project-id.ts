import { isProjectName } from '../../oci/reference.ts'
import type { Project, Projects } from '../../registry/projects.ts'

/** 32 digits, as clients of Huawei Cloud expect ids to look. */
const LENGTH = 32

/** How this face names a project: by its alias, or by its id. No other project is ever meant by it. */
export function projectIdOf({ id, alias }: Pick<Project, 'id' | 'alias'>): string {
  return alias ?? String(id).padStart(LENGTH, '0')
}

/**
 * The project that a caller names: by the id above, by its alias, its name, or its id in digits. An
 * alias comes before names, so that nobody takes over what scripts send by creating a project that is
 * called so; aliases that are names of projects are refused when they are set.
 */
export async function findProject(projects: Projects, asked: string): Promise<Project | undefined> {
  const padded = asked.length === LENGTH ? /^0{17}\d{15}$/.exec(asked)?.[0] : undefined
  if (padded !== undefined) return projects.get(Number(padded))
  const aliased = await projects.byAlias(asked)
  if (aliased) return aliased
  const named = isProjectName(asked) ? await projects.get(asked) : undefined
  if (named) return named
  return /^[1-9]\d{0,14}$/.test(asked) ? projects.get(Number(asked)) : undefined
}

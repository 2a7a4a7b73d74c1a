import { NO_PROJECT, type ProjectRef } from '../accounts/authorize.ts'
import type { Project } from './projects.ts'

/**
 * What `authorize()` is asked about a project. One that does not exist is asked about under the
 * `name` that the caller gave, like a private one without members: same queries, same answer, so
 * that nobody learns which names are taken.
 */
export function projectRef(
  project: Pick<Project, 'id' | 'name' | 'is_public'> | undefined,
  name = '',
): ProjectRef {
  if (!project) return { id: NO_PROJECT, name, isPublic: false }
  return { id: project.id, name: project.name, isPublic: project.is_public === 1 }
}

import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { Found } from '../api/types.ts'

/** `project/path` */
export const fullName = ({ project, repository }: Found): string =>
  repository === null ? project : `${project}/${repository}`

/** Where something that was found is shown. */
export function addressOf({ kind, project, repository }: Found) {
  if (repository === null) return { to: '/projects/$project', params: { project } } as const
  const params = { project, repository }
  return kind === 'chart'
    ? ({ to: '/projects/$project/repositories/$repository/charts', params } as const)
    : ({ to: '/projects/$project/repositories/$repository', params } as const)
}

export function FoundLink({ found, children }: { found: Found; children: ReactNode }) {
  return <Link {...addressOf(found)}>{children}</Link>
}

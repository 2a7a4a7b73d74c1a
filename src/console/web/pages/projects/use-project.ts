import { useQuery } from '@tanstack/react-query'
import { get, path } from '../../api/client.ts'
import type { Project, Role } from '../../api/types.ts'
import { useSession } from '../../session.ts'

const RANK: Record<Role, number> = { guest: 1, developer: 2, maintainer: 3, admin: 4 }

export function useProject(name: string) {
  return useQuery({
    queryKey: ['/projects', name],
    queryFn: ({ signal }) => get<Project>(path`/projects/${name}`, {}, signal),
  })
}

/**
 * Whether to offer what takes this role. The server decides by itself; this only spares people
 * buttons that would be refused.
 */
export function useHasRole(project: string, least: Role): boolean {
  const { account } = useSession()
  const role = useProject(project).data?.role
  if (account?.admin) return true
  return role !== undefined && role !== null && RANK[role] >= RANK[least]
}

import { useQuery } from '@tanstack/react-query'
import { get, path } from '../../api/client.ts'
import type { Repository } from '../../api/types.ts'

export interface RepositoryAddress {
  project: string
  repository: string
}

/** Below `/api/v1`. */
export const repositoryPath = ({ project, repository }: RepositoryAddress): string =>
  path`/projects/${project}/repositories/${repository}`

export function useRepository(address: RepositoryAddress) {
  const url = repositoryPath(address)
  return useQuery({
    queryKey: [url],
    queryFn: ({ signal }) => get<Repository>(url, {}, signal),
  })
}

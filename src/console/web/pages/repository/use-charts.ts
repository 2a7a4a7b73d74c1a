import { useQuery } from '@tanstack/react-query'
import { get } from '../../api/client.ts'
import type { ListedChart, Page } from '../../api/types.ts'
import { type RepositoryAddress, repositoryPath } from './use-repository.ts'

/** True when the repository holds a chart. */
export function useHasCharts(address: RepositoryAddress): boolean {
  const url = `${repositoryPath(address)}/chart-versions`
  const { data } = useQuery({
    queryKey: [url, 'first'],
    queryFn: ({ signal }) => get<Page<ListedChart>>(url, { limit: 1 }, signal),
  })
  return (data?.items.length ?? 0) > 0
}

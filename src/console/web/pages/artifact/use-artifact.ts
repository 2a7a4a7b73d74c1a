import { useQuery } from '@tanstack/react-query'
import { get, path } from '../../api/client.ts'
import type { Artifact, ManifestText } from '../../api/types.ts'
import { type RepositoryAddress, repositoryPath } from '../repository/use-repository.ts'

export const artifactPath = (address: RepositoryAddress, digest: string): string =>
  repositoryPath(address) + path`/artifacts/${digest}`

export function useArtifact(address: RepositoryAddress, digest: string) {
  const url = artifactPath(address, digest)
  return useQuery({
    queryKey: [url],
    queryFn: ({ signal }) => get<Artifact>(url, {}, signal),
  })
}

export function useManifestText(address: RepositoryAddress, digest: string) {
  const url = `${artifactPath(address, digest)}/manifest`
  return useQuery({
    queryKey: [url],
    queryFn: ({ signal }) => get<ManifestText>(url, {}, signal),
    // Named by its content: it never changes.
    staleTime: Number.POSITIVE_INFINITY,
  })
}

import { useQuery } from '@tanstack/react-query'
import { get, path } from '../../api/client.ts'
import type { Artifact, ManifestText, Tag } from '../../api/types.ts'
import { artifactPath } from '../artifact/use-artifact.ts'
import { type RepositoryAddress, repositoryPath } from '../repository/use-repository.ts'

/** What a tag points at; of an index the part for a platform. */
export interface Side {
  tag: Tag
  artifact: Artifact
  /** Of all its images; of one that says none: empty. */
  platforms: string[]
}

export function useSide(address: RepositoryAddress, tag: string | undefined) {
  const url = repositoryPath(address) + path`/tags/${tag ?? ''}`
  return useQuery({
    queryKey: [url, 'with what it points at'],
    enabled: tag !== undefined,
    async queryFn({ signal }): Promise<Side> {
      const found = await get<Tag>(url, {}, signal)
      const artifact = await get<Artifact>(artifactPath(address, found.digest), {}, signal)
      const images = artifact.parts.filter(({ attests }) => attests === null)
      const platforms =
        artifact.kind === 'index'
          ? images.flatMap(({ platform }) => platform ?? [])
          : artifact.platform
            ? [artifact.platform]
            : []
      return { tag: found, artifact, platforms: [...new Set(platforms)] }
    },
  })
}

/** The manifest that is compared: of an index that of the platform. undefined: it has none. */
export function imageOf({ artifact }: Side, platform: string | undefined): string | undefined {
  if (artifact.kind !== 'index') return artifact.digest
  const images = artifact.parts.filter(
    ({ attests, totalSize }) => attests === null && totalSize !== null,
  )
  return images.find((part) => part.platform === platform)?.digest
}

export function useImageText(address: RepositoryAddress, digest: string | undefined) {
  const url = `${artifactPath(address, digest ?? '')}/manifest`
  return useQuery({
    queryKey: [url],
    enabled: digest !== undefined,
    queryFn: ({ signal }) => get<ManifestText>(url, {}, signal),
    staleTime: Number.POSITIVE_INFINITY,
  })
}

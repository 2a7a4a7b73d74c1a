import type { ListedArtifact } from '../../registry/artifact-list.ts'

/* What an artifact is, in the words of Harbor, which CCR shows. */

/** Of images, as printed in the document. */
const IMAGE_ICON = 'sha256:0048162a053eef4d4ce3fe7518615bef084403614f8bca43b40ae2e762e11e06'

const TYPES: Record<string, string> = {
  'application/vnd.oci.image.config.v1+json': 'IMAGE',
  'application/vnd.docker.container.image.v1+json': 'IMAGE',
  'application/vnd.docker.plugin.v1+json': 'PLUGIN',
  'application/vnd.cncf.helm.config.v1+json': 'CHART',
}

/** `IMAGE`, `CHART`, else the word in its type (`…/vnd.acme.model.config.v1+json`: MODEL). */
export function artifactType(
  artifact: Pick<ListedArtifact, 'kind' | 'artifactType' | 'configMediaType'>,
): string {
  const { kind, artifactType, configMediaType } = artifact
  if (kind === 'index') return wordOf(artifactType) ?? 'IMAGE'
  const known = TYPES[configMediaType ?? '']
  // An artifact may have the config of an image, or none, and say itself what it is.
  const own = artifactType === configMediaType ? undefined : wordOf(artifactType)
  return own ?? known ?? wordOf(configMediaType) ?? 'UNKNOWN'
}

function wordOf(mediaType: string | null): string | undefined {
  if (mediaType === null) return undefined
  const known = TYPES[mediaType]
  if (known) return known
  const words = /^application\/vnd\.[^.]+\.(.+?)(?:\.config)?(?:\.v\d[^+]*)?(?:\+\w+)?$/i.exec(
    mediaType,
  )
  const word = words?.[1]?.toUpperCase()
  return word === undefined || word === 'EMPTY' ? undefined : word
}

export function iconOf(type: string): string {
  return type === 'IMAGE' ? IMAGE_ICON : ''
}

import type { ArtifactSummary } from '../../api/types.ts'

/** What people call an artifact. */
export type ArtifactKind =
  | 'image'
  | 'multi'
  | 'index'
  | 'chart'
  | 'signature'
  | 'attestation'
  | 'sbom'
  | 'other'

const HELM_CONFIG = 'application/vnd.cncf.helm.config.v1+json'
const IMAGE_CONFIGS = [
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
]

export function kindOf(artifact: ArtifactSummary): ArtifactKind {
  const { kind, configMediaType, artifactType, parts } = artifact
  if (configMediaType === HELM_CONFIG) return 'chart'
  if (kind === 'index') return parts.some(({ platform }) => platform) ? 'multi' : 'index'
  const own = artifactType === configMediaType ? '' : (artifactType ?? '')
  const attached = kindOfType(own)
  if (attached !== 'other') return attached
  return IMAGE_CONFIGS.includes(configMediaType ?? '') && own === '' ? 'image' : 'other'
}

/** What a type that is attached to images stands for, as far as it is known. */
export function kindOfType(type: string): 'signature' | 'attestation' | 'sbom' | 'other' {
  if (/^cosign\.sig$|notary\.signature|cosign\.artifact\.sig/.test(type)) return 'signature'
  if (/^cosign\.att$|in-toto|sigstore\.bundle|attestation/.test(type)) return 'attestation'
  if (/^cosign\.sbom$|spdx|cyclonedx|sbom/.test(type)) return 'sbom'
  return 'other'
}

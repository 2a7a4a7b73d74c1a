import { Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import type { ArtifactSummary } from '../../api/types.ts'
import { type ArtifactKind, kindOf, kindOfType } from './artifact-kind.ts'

const COLORS: Partial<Record<ArtifactKind, string>> = {
  multi: 'blue',
  chart: 'geekblue',
  signature: 'green',
  attestation: 'purple',
  sbom: 'cyan',
}

export function KindTag({ artifact }: { artifact: ArtifactSummary }) {
  const { t } = useTranslation()
  const kind = kindOf(artifact)
  return <Tag color={COLORS[kind] ?? 'default'}>{t(`artifacts.kinds.${kind}`)}</Tag>
}

/** Signatures, attestations and the like of an image, folded into a few words. */
export function AttachedTags({ artifact }: { artifact: ArtifactSummary }) {
  const { t } = useTranslation()
  const counts = new Map<ArtifactKind, number>()
  for (const { artifactType, count } of artifact.attached) {
    const kind = kindOfType(artifactType)
    counts.set(kind, (counts.get(kind) ?? 0) + count)
  }
  const built = artifact.parts.filter(({ attests }) => attests !== null).length
  if (built > 0) counts.set('attestation', (counts.get('attestation') ?? 0) + built)
  if (counts.size === 0) return null
  return (
    <>
      {[...counts].map(([kind, count]) => (
        <Tag key={kind} color={COLORS[kind] ?? 'default'}>
          {t(`artifacts.kinds.${kind}`)}
          {count > 1 && ` × ${count}`}
        </Tag>
      ))}
    </>
  )
}

const SHOWN = 4

/** The platforms of an image, the first ones by name. */
export function Platforms({ artifact }: { artifact: ArtifactSummary }) {
  const platforms =
    artifact.kind === 'index'
      ? artifact.parts.flatMap(({ platform }) => platform ?? [])
      : artifact.platform
        ? [artifact.platform]
        : []
  if (platforms.length === 0) return <span>–</span>
  const rest = platforms.slice(SHOWN)
  return (
    <div className="platforms">
      {platforms.slice(0, SHOWN).map((platform) => (
        <Tag key={platform} className="mono" style={{ margin: 0 }}>
          {platform}
        </Tag>
      ))}
      {rest.length > 0 && <Tag title={rest.join(', ')}>+{rest.length}</Tag>}
    </div>
  )
}

import { Table } from 'antd'
import { useTranslation } from 'react-i18next'
import type { ArtifactPart, ArtifactSummary } from '../../api/types.ts'
import { DigestText, Size } from '../../parts/values.tsx'
import { ArtifactLink } from './artifact-link.tsx'
import type { RepositoryAddress } from './use-repository.ts'

/** The images of an index; attestations of BuildKit stand with the image that they are about. */
export function PartList(props: { address: RepositoryAddress; artifact: ArtifactSummary }) {
  const { address, artifact } = props
  const { t } = useTranslation()
  const images = artifact.parts.filter(({ attests }) => attests === null)
  const attestationsOf = (digest: string) =>
    artifact.parts.filter(({ attests }) => attests === digest)
  const show = (part: ArtifactPart, text: string) =>
    part.totalSize === null ? (
      text
    ) : (
      <ArtifactLink address={address} digest={part.digest}>
        {text}
      </ArtifactLink>
    )
  return (
    <Table<ArtifactPart>
      size="small"
      aria-label={t('artifacts.parts')}
      pagination={false}
      rowKey={({ digest }) => digest}
      dataSource={images}
      scroll={{ x: 'max-content' }}
      columns={[
        {
          title: t('artifacts.platform'),
          key: 'platform',
          render: (_, part) => show(part, part.platform ?? t('artifacts.noPlatform')),
        },
        {
          title: t('common.size'),
          key: 'size',
          align: 'right',
          render: (_, part) =>
            part.totalSize === null ? t('artifacts.absent') : <Size bytes={part.totalSize} />,
        },
        {
          title: t('artifacts.digest'),
          key: 'digest',
          render: (_, part) => <DigestText digest={part.digest} />,
        },
        {
          title: t('artifacts.kinds.attestation'),
          key: 'attestations',
          render: (_, part) =>
            attestationsOf(part.digest).map((attestation) => (
              <div key={attestation.digest}>{show(attestation, t('artifacts.provenance'))}</div>
            )),
        },
      ]}
    />
  )
}

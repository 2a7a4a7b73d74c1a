import { useQuery } from '@tanstack/react-query'
import { Button, Empty, Skeleton, Tag } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { get } from '../../api/client.ts'
import type { Page, Referrer } from '../../api/types.ts'
import { ErrorView } from '../../parts/error-view.tsx'
import { DigestText } from '../../parts/values.tsx'
import { kindOfType } from '../repository/artifact-kind.ts'
import { ArtifactLink } from '../repository/artifact-link.tsx'
import type { RepositoryAddress } from '../repository/use-repository.ts'
import { artifactPath } from './use-artifact.ts'

const DEEPEST = 4

/** What is attached to an artifact, and what is attached to that. */
export function ReferrerTree(props: {
  address: RepositoryAddress
  digest: string
  depth?: number
}) {
  const { address, digest, depth = 0 } = props
  const { t } = useTranslation()
  const url = `${artifactPath(address, digest)}/referrers`
  const { data, error, refetch } = useQuery({
    queryKey: [url],
    queryFn: ({ signal }) => get<Page<Referrer>>(url, { limit: 200 }, signal),
  })
  if (error) return <ErrorView error={error} onRetry={() => void refetch()} />
  if (!data) return <Skeleton active paragraph={{ rows: 2 }} />
  if (data.items.length === 0) {
    return depth === 0 ? (
      <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('artifacts.noReferrers')} />
    ) : (
      <p style={{ margin: '4px 0' }}>{t('artifacts.noReferrers')}</p>
    )
  }
  return (
    <ul style={{ listStyle: 'none', paddingInlineStart: depth === 0 ? 0 : 24, margin: 0 }}>
      {data.items.map((referrer) => (
        <Node key={referrer.digest} address={address} referrer={referrer} depth={depth} />
      ))}
    </ul>
  )
}

function Node(props: { address: RepositoryAddress; referrer: Referrer; depth: number }) {
  const { address, referrer, depth } = props
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  const { digest, artifactType, annotations, tag } = referrer
  return (
    <li style={{ padding: '8px 0' }}>
      <Tag>{t(`artifacts.kinds.${kindOfType(artifactType)}`)}</Tag>
      <ArtifactLink address={address} digest={digest}>
        <span className="mono">{artifactType || referrer.mediaType}</span>
      </ArtifactLink>{' '}
      <DigestText digest={digest} />
      {depth < DEEPEST && (
        <Button type="link" size="small" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? t('artifacts.hideAttached') : t('artifacts.showAttached')}
        </Button>
      )}
      {tag && <div className="cell-note mono">{tag}</div>}
      {annotations &&
        Object.entries(annotations).map(([name, value]) => (
          <div key={name} className="cell-note mono">
            {name}: {value.slice(0, 300)}
          </div>
        ))}
      {open && <ReferrerTree address={address} digest={digest} depth={depth + 1} />}
    </li>
  )
}

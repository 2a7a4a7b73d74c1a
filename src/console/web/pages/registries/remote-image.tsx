import { useQuery } from '@tanstack/react-query'
import { Button, Card, Skeleton, Space } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { get, path } from '../../api/client.ts'
import type { RemoteImage } from '../../api/hub.ts'
import { ErrorView } from '../../parts/error-view.tsx'
import { DigestText, Size, Time } from '../../parts/values.tsx'
import { CopyImage } from '../transfers/copy-image-late.tsx'

interface Address {
  id: string
  repository: string
  reference: string
}

export function RemoteImageView({ id, repository, reference }: Address) {
  const { t } = useTranslation()
  const [copying, setCopying] = useState(false)
  const query = { repository, reference }
  const address = path`/registries/${id}/image`
  const { data, error, refetch } = useQuery({
    queryKey: [address, query],
    queryFn: ({ signal }) => get<RemoteImage>(address, query, signal),
    retry: false,
  })
  if (error) return <ErrorView error={error} onRetry={() => void refetch()} />
  if (!data) return <Skeleton active />
  return (
    <Card style={{ maxWidth: 720 }}>
      <dl className="fact-list">
        <dt>{t('artifacts.digest')}</dt>
        <dd>
          <DigestText digest={data.digest} />
        </dd>
        <dt>{t('common.size')}</dt>
        <dd>
          <Size bytes={data.size} />
        </dd>
        <dt>{t('artifacts.built')}</dt>
        <dd>{data.createdAt === null ? '–' : <Time at={data.createdAt} />}</dd>
        <dt>{t('artifacts.platforms')}</dt>
        <dd>{data.platforms.join(', ') || '–'}</dd>
        <dt>{t('artifacts.mediaType')}</dt>
        <dd className="mono">{data.mediaType}</dd>
      </dl>
      <Space style={{ marginTop: 16 }}>
        <Button type="primary" onClick={() => setCopying(true)}>
          {t('transfers.copy')}
        </Button>
      </Space>
      <CopyImage
        open={copying}
        source={{
          registry: id,
          repository,
          reference,
          platforms: data.isIndex ? data.platforms : [],
        }}
        onClose={() => setCopying(false)}
      />
    </Card>
  )
}

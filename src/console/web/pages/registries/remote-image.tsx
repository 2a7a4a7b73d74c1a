import { useQuery } from '@tanstack/react-query'
import { Alert, Button, Card, Form, Input, Skeleton, Space } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { get, path, post } from '../../api/client.ts'
import type { RemoteImage, Transfer } from '../../api/hub.ts'
import { ErrorView } from '../../parts/error-view.tsx'
import { FormModal } from '../../parts/form-modal.tsx'
import { useAct } from '../../parts/use-act.ts'
import { DigestText, Size, Time } from '../../parts/values.tsx'

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
          {t('hub.browse.copy')}
        </Button>
      </Space>
      <CopyHere
        open={copying}
        address={{ id, repository, reference }}
        onClose={() => setCopying(false)}
      />
    </Card>
  )
}

/** Copies an image into this registry. */
function CopyHere(props: { open: boolean; address: Address; onClose: () => void }) {
  const { open, address, onClose } = props
  const { t } = useTranslation()
  const { id, repository, reference } = address
  const byDigest = reference.includes(':')
  const copy = useAct({
    act: (target: { repository: string; tag?: string }) =>
      post<Transfer>('/transfers', {
        source: { registry: id, repository, reference },
        target: {
          registry: 'self',
          repository: target.repository,
          ...(target.tag ? { tag: target.tag } : {}),
        },
      }),
    done: t('hub.browse.copying'),
    renews: [['/transfers']],
    quiet: true,
    onDone: onClose,
  })
  return (
    <FormModal<{ repository: string; tag?: string }>
      open={open}
      title={t('hub.browse.copy')}
      submit={t('common.copy')}
      initial={{
        repository: `/${repository.split('/').at(-1) ?? ''}`,
        tag: byDigest ? '' : reference,
      }}
      busy={copy.isPending}
      error={copy.error}
      onSubmit={(values) => copy.mutate(values)}
      onClose={() => {
        copy.reset()
        onClose()
      }}
    >
      <Alert type="info" title={t('hub.browse.copyHint')} style={{ marginBottom: 16 }} />
      <Form.Item
        name="repository"
        label={t('repositories.name')}
        rules={[{ required: true, pattern: /^[^/].*\/./, message: t('hub.browse.whole') }]}
      >
        <Input autoComplete="off" spellCheck={false} />
      </Form.Item>
      <Form.Item name="tag" label={t('tags.tag')}>
        <Input autoComplete="off" spellCheck={false} />
      </Form.Item>
    </FormModal>
  )
}

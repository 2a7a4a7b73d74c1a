import { useQuery } from '@tanstack/react-query'
import { Alert, Card, Skeleton, Tabs, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { get, path } from '../../api/client.ts'
import type { Trust } from '../../api/hub.ts'
import { ErrorView } from '../../parts/error-view.tsx'
import { inOrder } from '../../parts/in-order.ts'
import { Source } from '../../parts/source.tsx'

const NAMES = {
  docker: 'Docker',
  containerd: 'containerd',
  podman: 'Podman, CRI-O',
  buildkit: 'BuildKit',
}

/** The files that make clients trust a registry whose certificate they would not know. */
export function TrustSetup({ id }: { id: string }) {
  const { t } = useTranslation()
  const { data, error, refetch } = useQuery({
    queryKey: ['/registries', id, 'trust'],
    queryFn: ({ signal }) => get<Trust>(path`/registries/${id}/trust`, {}, signal),
  })
  if (error) return <ErrorView error={error} onRetry={() => void refetch()} />
  if (!data) return <Skeleton active />
  if (data.hosts.length === 0) {
    return <Alert type="success" showIcon title={t('hub.trust.nothing')} />
  }
  return (
    <Card>
      <p className="cell-note">{t('hub.trust.intro')}</p>
      {inOrder(data.hosts, ({ host, plainHttp, insecure }) => (
        <p>
          <span className="mono">{host}</span>{' '}
          {plainHttp && <Tag color="orange">{t('hub.trust.plainHttp')}</Tag>}
          {insecure && <Tag color="orange">{t('hub.trust.insecure')}</Tag>}
        </p>
      ))}
      <Tabs
        items={data.clients.map(({ client, files, apply }) => ({
          key: client,
          label: NAMES[client],
          children: (
            <>
              {inOrder(files, ({ path: file, content, merge }) => (
                <div style={{ marginBottom: 16 }}>
                  <h3 className="snippet">
                    <span className="mono">{file}</span>
                    {merge && <span className="cell-note"> {t('hub.trust.merge')}</span>}
                  </h3>
                  <Source text={content} />
                </div>
              ))}
              <p>{t(`hub.trust.actions.${apply.action}`)}</p>
              {apply.action !== 'none' && <p className="cell-note">{apply.what}</p>}
            </>
          ),
        }))}
      />
    </Card>
  )
}
